"""What every task uses: runs and settings, retries, progress, devices, the end of dead runs."""
