#!/usr/bin/env python3
"""Boots a user-mode Linux kernel that answers each line of standard input on standard output; takes all of it away at its end.

usage: uml-boot.py INIT OBSERVER MODULES [KERNEL-PARAMETER...]

Three processes: this one, which dies with whoever started it; the first of a PID namespace, which dies with this one and
with which dies all that is in there; and the kernel. What the kernel writes lies in a tmpfs of a mount namespace of its own,
so however this ends, no file and no process is left. The console loses what comes faster than it is read: a message is
put into a file there, and the console is told its name.
"""
import ctypes
import os
import platform
import select
import shutil
import signal
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
HOME = '/run/kubehop'
MESSAGES = HOME + '/messages'
KERNEL = 'linux.uml'

# The first release with this kernel saves x87 and SSE registers only (see refuse_xstate), so the C library in there must
# not use what comes after. It reads this from the environment that the kernel's parameters make.
WIDE = ('AVX', 'AVX2', 'AVX512F', 'AVX512VL', 'AVX512BW', 'AVX512CD', 'AVX512DQ', 'AVX_Fast_Unaligned_Load')
SAVES = ('XSAVE', 'XSAVEC', 'ERMS', 'FSRM')
TUNABLES = 'GLIBC_TUNABLES=glibc.cpu.hwcaps=' + ','.join('-' + name for name in WIDE + SAVES)


def checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, '%s: %s' % (what, os.strerror(number)))


def own_namespaces():
    """As root of a user namespace where we are not root already."""
    user, group = os.geteuid(), os.getegid()
    wanted = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | (CLONE_NEWUSER if user else 0)
    checked(libc.unshare(wanted), 'unshare failed')
    if user:
        for name, text in (('setgroups', 'deny'), ('uid_map', '0 %d 1' % user), ('gid_map', '0 %d 1' % group)):
            with open('/proc/self/' + name, 'w') as f:
                f.write(text)


def own_run(init, observer, modules):
    """A /run that nobody else sees: paths in it are short and have no spaces, as the kernel's command line wants them."""
    checked(libc.mount(b'none', b'/', None, MS_REC | MS_PRIVATE, None), 'mount')
    checked(libc.mount(b'tmpfs', b'/run', b'tmpfs', MS_NOSUID | MS_NODEV, None), 'mount /run')
    os.makedirs(HOME + '/lib')
    os.makedirs(MESSAGES)
    os.symlink(modules, HOME + '/lib/modules')
    shutil.copyfile(init, HOME + '/init')
    shutil.copyfile(observer, HOME + '/observer.py')
    os.chmod(HOME + '/init', 0o755)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def refuse_xstate():
    """ptrace(PTRACE_GETREGSET) fails with EIO from here on.

    Linux 6.1 as a user program keeps a tracee's xsave area in a buffer that is too small for AVX-512 and AMX, and panics;
    where the request fails, it takes PTRACE_GETFPREGS. The filter is classic BPF over struct seccomp_data: number at 0,
    architecture at 4, first argument at 16.
    """
    load, equal, ret = 0x20, 0x15, 0x06
    x86_64, ptrace, getregset, eio, allow = 0xC000003E, 101, 0x4204, 0x00050005, 0x7FFF0000
    steps = [(load, 0, 0, 4), (equal, 0, 5, x86_64), (load, 0, 0, 0), (equal, 0, 3, ptrace), (load, 0, 0, 16), (equal, 0, 1, getregset)]
    code = b''.join(struct.pack('HBBI', *step) for step in steps + [(ret, 0, 0, eio), (ret, 0, 0, allow)])
    text = ctypes.create_string_buffer(code, len(code))
    program = struct.pack('HxxxxxxQ', len(code) // 8, ctypes.addressof(text))
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'no_new_privs')
    checked(libc.prctl(PR_SET_SECCOMP, 2, ctypes.create_string_buffer(program, len(program)), 0, 0), 'seccomp')


def boot(parameters):
    """A panic ends the whole process group, so it is one of its own."""
    os.setsid()
    if platform.machine() == 'x86_64':
        refuse_xstate()
    environment = {'HOME': HOME, 'TMPDIR': '/run', 'PATH': os.environ.get('PATH', '') + ':/usr/bin:/usr/sbin'}
    fixed = ['rootfstype=hostfs', 'rootflags=/', 'ro', 'init=%s/init' % HOME, 'con=null', 'con0=fd:0,fd:1', 'ssl=null', 'quiet']
    own = ['uml_dir=' + HOME, 'umid=lab', TUNABLES]
    os.execvpe(KERNEL, [KERNEL] + fixed + own + parameters, environment)


def first(alive, parameters):
    """The first process of the PID namespace: outlives only the kernel."""
    die_with_parent()
    if select.select([alive], [], [], 0)[0]:
        return 1
    kernel = os.fork()
    if kernel == 0:
        boot(parameters)
    while True:
        ended, status = os.wait()
        if ended == kernel:
            return os.waitstatus_to_exitcode(status) & 255


def relay(console, ended):
    """Messages from standard input into files, until it or the kernel ends."""
    pending, number = b'', 0
    while True:
        ready, _, _ = select.select([0, ended], [], [])
        data = b'' if ended in ready else os.read(0, 1 << 16)
        if not data:
            os.close(console)
            return
        *lines, pending = (pending + data).split(b'\n')
        for line in lines:
            number += 1
            with open('%s/%d' % (MESSAGES, number), 'wb') as f:
                f.write(line)
            try:
                os.write(console, b'@%d\n' % number)
            except BrokenPipeError:
                return


def main():
    init, observer, modules = sys.argv[1:4]
    own_namespaces()
    die_with_parent()
    own_run(init, observer, modules)
    # Each side has one end of each: what the other held is closed when it is gone.
    alive, living = os.pipe()
    ended, running = os.pipe()
    heard, console = os.pipe()
    child = os.fork()
    if child == 0:
        for ours in (living, ended, console):
            os.close(ours)
        os.dup2(heard, 0)
        os._exit(first(alive, sys.argv[4:]))
    os.close(running)
    os.close(heard)
    relay(console, ended)
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status) & 255)


try:
    main()
except OSError as error:
    sys.exit(error.strerror or str(error))
