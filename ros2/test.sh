#!/usr/bin/env bash
# Builds the package with colcon, from a copy of its folder alone, and runs its tests there.
#   test.sh VENV
set -euo pipefail
venv=$(realpath "$1") package=$(realpath "$(dirname "$0")/keras_depth_ros")
workspace=$(mktemp --directory)
trap 'rm -rf "$workspace"' EXIT
mkdir "$workspace/src"
cp -r "$package" "$workspace/src"
cd "$workspace"
export PATH="$venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
colcon --log-level error build --event-handlers console_direct+
# What colcon installed starts, and asks for a network.
(
    set +u
    . install/setup.sh
    export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
    { install/keras_depth_ros/lib/keras_depth_ros/depth 2>&1 || true; } | grep "no network; set"
)
colcon --log-level error test --event-handlers console_direct+ --return-code-on-test-failure
colcon test-result --verbose
