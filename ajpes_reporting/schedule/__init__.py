"""The schedule: due reports, and the tick that runs them; engines only tick."""
