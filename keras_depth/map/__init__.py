"""The path of a camera and a map of what it saw, from the depth that a network predicts."""
