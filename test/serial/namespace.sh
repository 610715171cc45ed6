#!/bin/sh
# The private mount namespace of a rig, alive until stdin ends: in it the serial ports of the machine are the rig's.
#
#   unshare [--user --map-root-user] --mount --propagation private namespace.sh FOLDER SETTINGS
#
# FOLDER holds what is laid over the machine's own: `drivers`, `devices`, `class`, `settings`. SETTINGS is the folder
# of the browser's settings, with its policies. Says "ready" on stdout. Nothing outside sees any of it.
set -eu
folder=$1
settings=$2

mount --bind "$folder/drivers" /proc/tty/drivers
mount --bind "$folder/devices" /sys/devices/virtual/tty
mount --bind "$folder/class" /sys/class/tty
mount --bind "$folder/settings" "$settings"

echo ready
while read -r _; do :; done
