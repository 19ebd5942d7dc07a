"""What runs jobs: the executor of single executions and the loop that feeds it."""
