import Glibc

/// The two streams a program is born with.
enum StandardStream: Int32, Sendable {
    /// For what a command was asked to print.
    case output = 1
    /// For the log and for complaints.
    case error = 2

    /// Writes the bytes, all of them with one system call where the system takes them at once, so
    /// that lines of two threads do not mix. What cannot be written is lost: there is nowhere to
    /// complain.
    func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.write(rawValue, bytes.baseAddress, bytes.count)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    /// Writes the text and a line feed.
    func write(line: String) {
        write(Array(line.utf8) + [UInt8(ascii: "\n")])
    }
}
