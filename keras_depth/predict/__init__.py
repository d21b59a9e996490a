"""Runs trained and exported networks on images, videos and cameras."""
