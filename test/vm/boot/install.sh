#!/bin/sh
# The init of the machine that installs: mounts the second disk, runs the commands that the third one
# consists of, and stops.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t ext4 /dev/vdb /mnt || echo "RESULT cannot mount the disk"
export PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin HOME=/root
sh -eux /dev/vdc
echo "RESULT installed $?"
umount /mnt
sync
echo o >/proc/sysrq-trigger
sleep 10
