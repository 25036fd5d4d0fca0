// Command powercut cuts the power of a real kernel under the buffer, again and
// again: the kernel is user-mode Linux, a process, with an ext4 file system on
// a disk image, and the cut is SIGKILL.
//
//	powercut [-cuts 50] [-seed N]
//
// The same program is the first process of that kernel: there it writes
// numbered samples through the buffer's public interface, and tells on the
// console which of them a sync has made durable. What was told is kept outside
// of the kernel, by the process that cuts. After each cut it boots the kernel
// again from the same image, where the program reads what the buffer has kept,
// tells of it, and goes on writing until the next cut. Some of the cuts come
// while the kernel boots, mounts and recovers.
//
// Two logs are kept. From "keep" nothing may be missing; "drop" is so small
// that it must drop, and count what it drops. It ends with 1 at the first
// sample that was acknowledged and is missing, was never appended, is out of
// order, or does not add up.
//
// It needs no root. Its kernel is killed when it ends, however it ends.
package main
