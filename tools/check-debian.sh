#!/bin/sh
# Runs the tests, check-compilers.sh and R CMD check on another release of Debian, with the R, compilers and packages of
# that release, in a chroot that is removed at the end. It takes half an hour.
# Call: sh tools/check-debian.sh SUITE, such as trixie or sid, as root on Debian or Ubuntu

# shellcheck source=tools/setup.sh
. "$(dirname "$0")/setup.sh"

[ $# -eq 1 ] || die "call: sh tools/check-debian.sh SUITE, such as trixie or sid"
can_apt || die "this script needs root on Debian or Ubuntu"
have debootstrap || apt_install debootstrap

machine=$work/machine
quietly "Setting up a minimal $1" debootstrap --variant=minbase --include=ca-certificates "$1" "$machine"
cp /etc/resolv.conf "$machine/etc/"
mkdir "$machine/root/capalloc"
(cd "$top" && tar -cf - --exclude=./.git --exclude='*.o' --exclude='*.so' .) | (cd "$machine/root/capalloc" && tar -xf -)

# The checks run in a mount namespace, so that its mounts are invisible outside and rm -rf cannot reach into them.
cat > "$machine/root/checks" << 'CHECKS'
cd /root/capalloc
status=0
sh tools/test.sh || status=1
sh tools/check-compilers.sh || status=1
sh tools/check.sh || status=1
R --version | sed 1q
gcc --version | sed 1q
dpkg-query -W 'r-cran-*' | tr '\t' ' '
exit $status
CHECKS
# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --pid --fork sh -c '
  mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" || exit
  exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh /root/checks
' sh "$machine" || die "the checks failed on $1 (see above)"
say "The checks passed on $1"
