#!/bin/sh
# Runs in the image that was booted, as a service of systemd: says on the console how things are, then stops the machine.
result() { echo "RESULT $*" >/dev/ttyS0; }

version=$(cat /usr/lib/composefs-test/version)
result "version $version"
result "root $(grep ' / ' /proc/self/mounts | tail -n 1)"
result "init $(cat /proc/1/comm)"
result "failed $(systemctl list-units --failed --plain --no-legend | wc -l)"

if touch /usr/lib/composefs-test/new 2>/dev/null; then result "usr writable"; else result "usr read-only"; fi
for place in /etc /var; do
	result "before $place $(cat "$place/composefs-test" 2>/dev/null | tr '\n' ' ')"
	echo "$version" >>"$place/composefs-test" && result "written $place"
done
result "sysroot $(ls /sysroot | tr '\n' ' ')"

for file in data other; do
	if sum=$(sha256sum "/usr/lib/composefs-test/$file" 2>&1); then
		result "read $file ${sum%% *}"
	else
		result "unreadable $file $sum"
	fi
done
sync
systemctl --no-block poweroff
