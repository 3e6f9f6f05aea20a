"""What is measured of speed and memory, one file a table. `python -m benchmarks` prints them."""
