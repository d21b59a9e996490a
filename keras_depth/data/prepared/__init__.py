"""Copies of a data set at the size of a model's input, in tfrecord shards."""
