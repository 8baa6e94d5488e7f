import Glibc

/// The standard output of a command, which is told when nobody takes it any more.
enum CommandOutput {
    private static let brokenPipe = 128 + SIGPIPE

    /// The text and a line feed. Throws if not all of it could be written.
    static func write(line: String) throws(CommandFailure) {
        var rest = Array((line + "\n").utf8)[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.write(STDOUT_FILENO, bytes.baseAddress, bytes.count)
            }
            if written >= 0 {
                rest = rest.dropFirst(written)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var out = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&out, 1, -1)
            // As a program without a hand on the signal: without a word.
            case EPIPE: throw .ended(brokenPipe)
            default:
                throw .broken("the standard output: \(TextFileError.lastOfSystem)")
            }
        }
    }
}
