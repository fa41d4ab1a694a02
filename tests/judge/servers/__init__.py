"""Small wallet servers to judge: right ones, and some with one bug each."""
