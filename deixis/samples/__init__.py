"""The sample, its schema and validator, and its files: what every data set becomes and every model trains on."""
