"""What is due, and the tick that does it; engines only tick."""
