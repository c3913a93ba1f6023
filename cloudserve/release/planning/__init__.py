"""Plans: what a release has to do, as data. Reads the platform; changes nothing."""
