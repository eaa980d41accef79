"""A full disk is an error of one sentence and leaves nothing behind; HDF5 alone would crash. argv[1] is the test
program that writes a cutout file; the disks are tmpfs of a few KiB in a mount namespace of our own."""
import os
import subprocess
import sys
import tempfile

if "--inside" not in sys.argv:
    probe = subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL)
    if probe.returncode:
        print("this kernel gives no mount namespaces to users")
        sys.exit(77)
    sys.exit(subprocess.run(["unshare", "-rm", sys.executable, __file__, os.path.abspath(sys.argv[1]), "--inside"]).returncode)

full = good = 0
with tempfile.TemporaryDirectory() as directory:
    for size_kib in (4, 8, 12, 16, 32, 64, 128, 256, 264, 272, 280, 300, 320, 340, 512, 1024):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", directory], check=True)
        status = subprocess.run([sys.argv[1], os.path.join(directory, "a.h5")]).returncode
        left = os.listdir(directory)
        subprocess.run(["umount", directory], check=True)
        assert (status, left) in ((0, ["a.h5"]), (1, [])), (size_kib, status, left)
        good += status == 0
        full += status == 1
assert good and full
print(f"{full} full disks, {good} large enough ones")
