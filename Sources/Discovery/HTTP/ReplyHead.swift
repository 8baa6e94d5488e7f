internal import Glibc

/// Status, reason and headers of a reply: built once at start, kept, and used for any number.
///
/// Sendable because the C strings are never written after `init`; nothing hands out a mutable
/// pointer to them. They are what makes a reply cost no Swift string and no allocation of ours.
@safe package final class ReplyHead: Sendable {
    /// 200...599, but neither 204 nor 304: every reply has a Content-Length and, save for HEAD,
    /// that many bytes, which those two must not.
    package let status: Int
    /// The connection is closed behind the reply, and told so.
    package let closes: Bool
    nonisolated(unsafe) let reason: UnsafeMutablePointer<CChar>
    /// Content-Type's value, followed by the further headers as lines of their own.
    nonisolated(unsafe) let fields: UnsafeMutablePointer<CChar>

    /// Date, Content-Length and Connection are not for `headers`: the loop adds them. Texts must be
    /// free of control bytes; a violation is a programmer's error and traps.
    package init(
        status: Int, reason: String, contentType: String,
        headers: [(name: String, value: String)] = [], closes: Bool = false
    ) {
        precondition((200...599).contains(status), "a final status is needed, got \(status)")
        precondition(status != 204 && status != 304, "\(status) is a status without a body")
        let texts = [reason, contentType] + headers.flatMap { [$0.name, $0.value] }
        for text in texts {
            precondition(
                text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "control byte in \(text)")
        }
        let lines = [contentType] + headers.map { "\($0.name): \($0.value)" }
        self.status = status
        self.closes = closes
        unsafe self.reason = Self.copy(reason)
        unsafe fields = Self.copy(lines.joined(separator: "\r\n"))
    }

    deinit {
        unsafe free(reason)
        unsafe free(fields)
    }

    private static func copy(_ text: String) -> UnsafeMutablePointer<CChar> {
        guard let copy = unsafe strdup(text) else { preconditionFailure("out of memory") }
        return unsafe copy
    }
}
