package web

import (
	"fmt"
	"net"
	"os/user"
	"strconv"
	"syscall"
)

// peerName is the user at the other end of a unix socket, as the kernel
// vouches for it.
func peerName(c net.Conn) string {
	if l, ok := c.(*limitedConn); ok {
		c = l.Conn
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return "unknown user"
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return "unknown user"
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil || credErr != nil {
		return "unknown user"
	}
	if known, err := user.LookupId(strconv.Itoa(int(cred.Uid))); err == nil {
		return known.Username
	}
	return fmt.Sprintf("uid %d", cred.Uid)
}
