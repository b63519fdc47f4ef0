"""What is computed: pure code in ``compute``, thin shells that read, call and write around it."""
