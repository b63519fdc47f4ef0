"""What is remembered and what words mean; imports nothing of ours."""
