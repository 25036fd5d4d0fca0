package regular_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"fieldferry/configs/regular"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("file"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"link": "file", "fifolink": "fifo", "dangling": "nothing"} {
		if err := os.Symlink(to, in(from)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		want string
		err  error
	}{
		{in("file"), "01234567", nil},
		{in("link"), "01234567", nil},
		{in("fifo"), "", regular.ErrIrregular},
		{in("fifolink"), "", regular.ErrIrregular},
		{dir, "", regular.ErrIrregular},
		{"/dev/null", "", regular.ErrIrregular},
		{in("dangling"), "", fs.ErrNotExist},
		{in("absent"), "", fs.ErrNotExist},
	}
	for _, tt := range tests {
		got, err := regular.Read(tt.name, 8)
		if string(got) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Read(%s, 8) = %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}
