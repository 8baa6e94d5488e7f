/// What one answer was.
struct Answer {
    var status = 0
    /// The JSON `code` the body begins with; nil if it does not begin so.
    var code: Int?
    var bodyBytes = 0
}

/// Reads one HTTP/1.1 answer after the other of one connection: status line, Content-Length, the
/// JSON `code` at its fixed place; the rest of the body is skipped. One request is under way at a
/// time, so one read never holds two answers.
struct AnswerParser {
    /// `{"code":` and its number fit in here; the number is read once so much of the body is there.
    private static let codeBytes = 24
    private static let codePrefix: StaticString = "{\"code\":"
    /// An answer's head is far smaller.
    private static let headBytesMax = 16_384

    /// The beginning of an answer whose head did not come whole. Almost always empty.
    private var carry: [UInt8] = []
    private var bodyLeft = 0
    private var answer = Answer()

    /// Takes what was read and returns the answer if that completes it.
    mutating func feed(_ bytes: Span<UInt8>) throws(BenchError) -> Answer? {
        if bodyLeft > 0 {
            guard bytes.count <= bodyLeft else {
                throw BenchError("bytes after the end of an answer")
            }
            bodyLeft -= bytes.count
            return bodyLeft == 0 ? answer : nil
        }
        if carry.isEmpty {
            guard try !begin(bytes) else { return bodyLeft == 0 ? answer : nil }
            for position in 0..<bytes.count { carry.append(bytes[position]) }
            return nil
        }
        for position in 0..<bytes.count { carry.append(bytes[position]) }
        let whole = carry
        guard try begin(whole.span) else { return nil }
        carry = []
        return bodyLeft == 0 ? answer : nil
    }

    /// Reads the head and the code. False when more bytes are needed for that.
    private mutating func begin(_ bytes: Span<UInt8>) throws(BenchError) -> Bool {
        guard let (headEnd, length) = try Self.head(bytes) else {
            guard bytes.count <= Self.headBytesMax else {
                throw BenchError("an answer's head has no end")
            }
            return false
        }
        let bodyHere = bytes.count - headEnd
        guard bodyHere >= min(length, Self.codeBytes) else { return false }
        guard bodyHere <= length else { throw BenchError("bytes after the end of an answer") }
        answer.status = Self.number(bytes, at: 9) ?? 0
        answer.code = Self.code(bytes, at: headEnd)
        answer.bodyBytes = length
        bodyLeft = length - bodyHere
        return true
    }

    /// Where the head ends and the length it announces; nil while it is incomplete.
    private static func head(_ bytes: Span<UInt8>) throws(BenchError) -> (end: Int, length: Int)? {
        var length: Int?
        var lineStart = 0
        for position in 0..<bytes.count where bytes[position] == UInt8(ascii: "\n") {
            if position - lineStart <= 1 {
                guard let length else { throw BenchError("an answer without Content-Length") }
                return (position + 1, length)
            }
            // `Content-Length: ` is 16 bytes; of the names that begin so only it has an L there.
            if position - lineStart > 16, bytes[lineStart] | 0x20 == UInt8(ascii: "c"),
                bytes[lineStart + 7] == UInt8(ascii: "-"),
                bytes[lineStart + 8] | 0x20 == UInt8(ascii: "l"),
                bytes[lineStart + 14] == UInt8(ascii: ":")
            {
                length = number(bytes, at: lineStart + 16)
            }
            lineStart = position + 1
        }
        return nil
    }

    private static func code(_ bytes: Span<UInt8>, at start: Int) -> Int? {
        let prefix = codePrefix.utf8CodeUnitCount
        guard bytes.count > start + prefix, matches(bytes, at: start) else { return nil }
        let negative = bytes[start + prefix] == UInt8(ascii: "-")
        let value = number(bytes, at: start + prefix + (negative ? 1 : 0))
        return value.map { negative ? -$0 : $0 }
    }

    private static func matches(_ bytes: Span<UInt8>, at start: Int) -> Bool {
        for offset in 0..<codePrefix.utf8CodeUnitCount
        where unsafe bytes[start + offset] != codePrefix.utf8Start[offset] {
            return false
        }
        return true
    }

    /// A decimal number of at most nine digits.
    private static func number(_ bytes: Span<UInt8>, at start: Int) -> Int? {
        var value = 0
        var position = start
        while position < bytes.count, position < start + 9 {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            value = value * 10 + Int(digit)
            position += 1
        }
        return position > start ? value : nil
    }
}
