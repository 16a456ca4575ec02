"""What queuectl asks of Windows itself, where the standard library has no words for it: by ctypes, imported nowhere else.

    JobObject()          a set of processes: who is in it stays in it, with all it starts; they end when it is closed
    started(pid)         (start moment, whether it has ended) of a process; None when there is none
    end(pid)             end a process at once
    appending(fd)        another descriptor of a file, which always writes at its end
    shows_colours(fd)    have a console understand escape sequences; whether it does
"""

import ctypes
import msvcrt
import os
import struct

_LIMITS = 9
_ACCOUNTING = 1
_KILL_ON_CLOSE = 0x2000
# For `worker start --detach` in a job.
_MAY_BREAK_AWAY = 0x800
# JOBOBJECT_EXTENDED_LIMIT_INFORMATION: the flags are its third field, all others stay 0.
_LIMITS_LAYOUT = "@qqIPPIPII6Q4P"
# JOBOBJECT_BASIC_ACCOUNTING_INFORMATION: the third of the last four numbers says how many run.
_ACCOUNTING_LAYOUT = "@4q4I"

_TERMINATE = 0x0001
_LOOK = 0x1000 | 0x100000
# FILE_GENERIC_WRITE but for FILE_WRITE_DATA: what is left can only append.
_APPEND = 0x120116 & ~0x0002
_SHARED_BY_ALL = 0x7
_ESCAPE_SEQUENCES = 0x4
_INVALID = ctypes.c_void_p(-1).value

_HANDLE, _NUMBER, _POINTER = ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p
_kernel = ctypes.WinDLL("kernel32", use_last_error=True)


def _declared(name, result, *arguments):
    function = getattr(_kernel, name)
    # Handles have 64 bits there, and what is not declared is taken for an int.
    function.restype = result
    function.argtypes = arguments
    return function


_create_job = _declared("CreateJobObjectW", _HANDLE, _POINTER, ctypes.c_wchar_p)
_set_job = _declared("SetInformationJobObject", ctypes.c_int, _HANDLE, ctypes.c_int, ctypes.c_char_p, _NUMBER)
_ask_job = _declared("QueryInformationJobObject", ctypes.c_int, _HANDLE, ctypes.c_int, ctypes.c_char_p, _NUMBER, _POINTER)
_assign = _declared("AssignProcessToJobObject", ctypes.c_int, _HANDLE, _HANDLE)
_end_job = _declared("TerminateJobObject", ctypes.c_int, _HANDLE, ctypes.c_uint)
_close = _declared("CloseHandle", ctypes.c_int, _HANDLE)
_open = _declared("OpenProcess", _HANDLE, _NUMBER, ctypes.c_int, _NUMBER)
_times = _declared("GetProcessTimes", ctypes.c_int, _HANDLE, _POINTER, _POINTER, _POINTER, _POINTER)
_await = _declared("WaitForSingleObject", _NUMBER, _HANDLE, _NUMBER)
_end = _declared("TerminateProcess", ctypes.c_int, _HANDLE, ctypes.c_uint)
_reopen = _declared("ReOpenFile", _HANDLE, _HANDLE, _NUMBER, _NUMBER, _NUMBER)
_mode = _declared("GetConsoleMode", ctypes.c_int, _HANDLE, _POINTER)
_set_mode = _declared("SetConsoleMode", ctypes.c_int, _HANDLE, _NUMBER)


class JobObject:
    """Closed, or left by who dies, it ends all that is in it."""

    def __init__(self):
        self._handle = _create_job(None, None)
        limits = struct.pack(_LIMITS_LAYOUT, 0, 0, _KILL_ON_CLOSE | _MAY_BREAK_AWAY, *[0] * 16)
        _set_job(self._handle, _LIMITS, limits, len(limits))

    def take_in(self, process):
        """Put a process in, by its handle; what it has started before that is not in it."""
        _assign(self._handle, process)

    def running(self):
        """How many processes of it run."""
        data = ctypes.create_string_buffer(struct.calcsize(_ACCOUNTING_LAYOUT))
        if not _ask_job(self._handle, _ACCOUNTING, data, len(data), None):
            return 0
        return struct.unpack(_ACCOUNTING_LAYOUT, data.raw)[6]

    def end(self):
        """End them all at once."""
        _end_job(self._handle, 1)

    def close(self):
        self.end()
        _close(self._handle)


def started(pid):
    handle = _open(_LOOK, False, pid)
    if not handle:
        return None
    try:
        times = [ctypes.c_ulonglong() for _ in range(4)]
        if not _times(handle, *map(ctypes.byref, times)):
            return None
        return str(times[0].value), _await(handle, 0) == 0
    finally:
        _close(handle)


def end(pid):
    handle = _open(_TERMINATE, False, pid)
    if handle:
        _end(handle, 1)
        _close(handle)


def appending(fd):
    # A command would get no more than a place in the file, and write on there whatever others did to it.
    handle = _reopen(msvcrt.get_osfhandle(fd), _APPEND, _SHARED_BY_ALL, 0)
    if handle in (None, _INVALID):
        # A console, or a pipe.
        return os.dup(fd)
    return msvcrt.open_osfhandle(handle, os.O_APPEND | os.O_BINARY)


def shows_colours(fd):
    console = msvcrt.get_osfhandle(fd)
    mode = ctypes.c_ulong()
    return bool(_mode(console, ctypes.byref(mode)) and _set_mode(console, mode.value | _ESCAPE_SEQUENCES))
