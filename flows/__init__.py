"""When and in which order: Prefect flows, schedules and the command line."""
