"""Reads ROS bags, and adds depth to them."""
