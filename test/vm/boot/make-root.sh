#!/bin/sh
# Makes a tar of a small Debian root with systemd, initramfs-tools and a kernel that can mount composefs images with
# fs-verity (Linux 6.6), from Debian's packages. Needs root, mmdebstrap and a Debian mirror: by default that of apt.
#
#   make-root.sh OUTPUT.tar [SUITE [MIRROR]]
set -eu
output=$1
suite=${2:-bookworm}
mirror=${3:-}
if [ -z "$mirror" ]; then
	mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
		sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] *)?([^ ]+).*/\2/p' | grep -m1 '/debian/\?$' || true)
fi
if [ -z "$mirror" ]; then
	echo "$0: apt has no Debian mirror; name one" >&2
	exit 2
fi

# The kernel of bookworm itself is 6.1.
kernel=linux-image-cloud-amd64
sources="deb $mirror $suite main"
if [ "$suite" = bookworm ]; then
	kernel=$kernel/bookworm-backports
	sources="$sources
deb $mirror bookworm-backports main"
fi

# mmdebstrap takes the form of the output from its name.
mmdebstrap --variant=minbase \
	--include="systemd-sysv,udev,kmod,initramfs-tools,zstd,$kernel" \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	"$suite" "$output.partial.tar" "$sources"
mv "$output.partial.tar" "$output"
