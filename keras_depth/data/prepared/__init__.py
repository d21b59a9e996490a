"""Copies of a data set at the size a network sees, in tfrecord shards."""
