#!/bin/bash
# Puts composefs-setup-root of the npm package composefs-oci into an initramfs, with Node.js and all that it needs.
# Install the folder as /usr/lib/dracut/modules.d/90composefs; see docs/boot.md of the package.

# Dracut does not look where npm installs.
find_setup_root() {
	PATH=$PATH:/usr/local/bin:/usr/local/sbin type -P composefs-setup-root
}

# called by dracut
check() {
	if ! find_setup_root >/dev/null; then
		dinfo "composefs-setup-root is not installed: npm install -g composefs-oci"
		return 1
	fi
	return 0
}

# called by dracut
depends() {
	echo systemd
	return 0
}

# called by dracut
installkernel() {
	# loop: kernels before 6.12 cannot mount EROFS from a file. All, whatever the machine at hand has mounted.
	hostonly='' instmods erofs overlay loop
}

# called by dracut
install() {
	local command list files file
	command=$(find_setup_root)
	list=$(PATH=$PATH:/usr/local/bin "$command" --list-files) || {
		dfatal "composefs: $command --list-files failed"
		return 1
	}
	mapfile -t files <<<"$list"
	for file in "${files[@]}"; do
		# With the shared libraries that it needs.
		inst "$file" || return 1
	done

	# What starts it: the first two files are Node.js and the command.
	mkdir -p "${initdir:?}/usr/sbin"
	printf '#!/bin/sh\nexec %q %q "$@"\n' "${files[0]}" "${files[1]}" >"$initdir/usr/sbin/composefs-setup-root"
	chmod 0755 "$initdir/usr/sbin/composefs-setup-root"

	inst_if_exists() { [ ! -e "$1" ] || inst_simple "$1"; }
	inst_if_exists /usr/lib/composefs/setup-root-conf.toml

	# shellcheck disable=SC2154
	inst_simple "$moddir/composefs-setup-root.service" "${systemdsystemunitdir:?}/composefs-setup-root.service"
	"${SYSTEMCTL:-systemctl}" -q --root "$initdir" add-wants initrd-root-fs.target composefs-setup-root.service
}
