"""The client of a deployed model, whatever target serves it."""
