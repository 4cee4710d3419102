"""Runs one call of a function, as Lambda's runtime for Python does.

The sandbox starts this file with a line of JSON on the standard input, then the event. What the function
prints goes to the standard output, where a line with the sandbox's token tells that the function is
loaded. The result goes to a file. If the standard input ends, the sandbox is gone, and so goes this
process with all that it started.
"""

import decimal
import importlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
import traceback
import zipfile

# What Lambda unpacks at most.
LARGEST = 262_144_000
# The first botocore that looks at AWS_ENDPOINT_URL. An older one would call AWS.
BOTOCORE = (1, 31)
ROOT = "/var/task"


class Fault(Exception):
    """A function that cannot be called."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class Context:
    """What a handler gets beside the event."""

    def __init__(self, given):
        self.aws_request_id = given["request_id"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn = given["arn"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self._end = time.monotonic() + given["seconds"]

    def get_remaining_time_in_millis(self):
        return max(0, int((self._end - time.monotonic()) * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class Encoder(json.JSONEncoder):
    """Writes an answer as Lambda does: a decimal as a number."""

    def default(self, value):
        if isinstance(value, decimal.Decimal):
            return float(value)
        return super().default(value)


def leave_with(pipe):
    """Ends this process and its children when the sandbox lets go of the pipe."""
    while pipe.read(4096):
        pass
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def unpack(package, folder):
    """Unpacks the function's package once for all its calls."""
    if os.path.isdir(folder):
        return
    part = f"{folder}.{os.getpid()}"
    try:
        with zipfile.ZipFile(package) as archive:
            if sum(item.file_size for item in archive.infolist()) > LARGEST:
                raise Fault("Runtime.PackageTooLarge", f"the package is larger than {LARGEST} bytes")
            archive.extractall(part)
        os.rename(part, folder)
    except zipfile.BadZipFile as error:
        raise Fault("Runtime.InvalidPackage", f"the package cannot be unpacked: {error}") from None
    except OSError:
        # Another call was faster.
        if not os.path.isdir(folder):
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def has_boto3():
    """Whether there is a boto3 that calls the sandbox."""
    if importlib.util.find_spec("boto3") is None or importlib.util.find_spec("botocore") is None:
        return False
    version = importlib.import_module("botocore").__version__.split(".")
    return tuple(int(part) for part in version[:2]) >= BOTOCORE


def handler_of(name):
    """The function that a handler names."""
    module, dot, function = name.rpartition(".")
    if not dot:
        message = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", message)
    try:
        found = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module}': {error}"
        raise Fault("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{module}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", message, trace) from None
    try:
        return getattr(found, function)
    except AttributeError:
        message = f"Handler '{function}' missing on module '{module}'"
        raise Fault("Runtime.HandlerNotFound", message) from None


def answer_of(handler, event, context):
    """The answer of the function as JSON."""
    try:
        event = json.loads(event)
    except ValueError as error:
        message = f"Unable to unmarshal input: {error}"
        raise Fault("Runtime.UnmarshalError", message) from None
    answer = handler(event, context)
    try:
        return json.dumps(answer, cls=Encoder, ensure_ascii=sys.version_info < (3, 12))
    except Exception as error:
        message = f"Unable to marshal response: {error}"
        raise Fault("Runtime.MarshalError", message) from None


def failure_of(error, folder, request_id):
    """What Lambda answers to an exception."""
    if isinstance(error, Fault):
        kind, trace = error.kind, error.trace
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.filename == __file__ or "importlib" in frame.filename for frame in frames]
        first = own.index(False) if False in own else 0
        shown = [(one.filename, one.lineno, one.name, one.line) for one in frames[first:]]
        kind, trace = type(error).__name__, traceback.format_list(shown)
    return {
        "errorMessage": str(error).replace(folder, ROOT),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": [part.replace(folder, ROOT) for part in trace],
    }


def report_of(failure):
    """What Lambda logs of it."""
    lines = [f"[ERROR] {failure['errorType']}: {failure['errorMessage']}"]
    lines.append("Traceback (most recent call last):")
    for part in failure["stackTrace"]:
        lines += part.splitlines()
    return "\n".join(lines)


def set_up_logs(request_id):
    """The handler of Python's logs, with Lambda's format."""
    logging.Formatter.converter = time.gmtime
    form = f"[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t{request_id}\t%(message)s"
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    logging.getLogger().addHandler(output)


def most_memory():
    """The most memory that this process had, in megabytes."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return max(1, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit)


def main():
    # The function gets an empty standard input, and one stream for all that it prints.
    pipe = os.fdopen(os.dup(0), "rb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(1, 2)
    with os.fdopen(os.dup(pipe.fileno()), "rb") as given:
        head = json.loads(given.readline())
        event = given.read(head["size"])
    threading.Thread(target=leave_with, args=(pipe,), daemon=True).start()
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr = sys.stdout
    folder, request_id = head["folder"], head["context"]["request_id"]
    result, began = {}, None
    try:
        unpack(head["package"], folder)
        os.chdir(folder)
        sys.path[0] = folder
        if not has_boto3():
            sys.path.insert(1, head["stand_in"])
        set_up_logs(request_id)
        handler = handler_of(head["handler"])
        sys.stdout.write(f"\n{head['token']}\n")
        began = time.monotonic()
        result["answer"] = answer_of(handler, event, Context(head["context"]))
    except Exception as error:
        failure = failure_of(error, folder, request_id)
        result["failure"], result["report"] = failure, report_of(failure)
    if began is not None:
        result["milliseconds"] = (time.monotonic() - began) * 1000
    result["memory"] = most_memory()
    sys.stdout.flush()
    with open(f"{head['result']}.new", "w") as file:
        json.dump(result, file)
    os.rename(f"{head['result']}.new", head["result"])
    # Threads of the function end with the call.
    os._exit(0)


main()
