"""What every task leans on: retries, progress, turns on a device, the end of dead runs."""
