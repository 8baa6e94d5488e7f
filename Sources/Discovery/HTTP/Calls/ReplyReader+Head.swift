/// What a reply's head says about where the reply ends, and the connection.
struct ReplyFraming: Sendable {
    var isHTTP11 = false
    var length: Int?
    var isChunked = false
    /// Connection names `close` or `keep-alive`.
    var closes = false
    var keeps = false

    var keepsOpen: Bool { !closes && (isHTTP11 || keeps) }
}

extension ReplyReader {
    /// `HTTP/1.1 200 OK`; the reason may be missing, and the space in front of it too.
    mutating func readStatusLine(_ line: Range<Int>) throws(CallFailure) {
        let (version, digits) = (line.lowerBound + 7, line.lowerBound + 9)
        guard line.count >= 12, head[version] == 0x30 || head[version] == 0x31,
            head[version + 1] == 0x20, line.count == 12 || head[digits + 3] == 0x20
        else { throw .malformed(reason: "its status line is none") }
        var status = 0
        for offset in digits..<digits + 3 {
            guard (0x30...0x39).contains(head[offset]) else {
                throw .malformed(reason: "its status is no number")
            }
            status = status * 10 + Int(head[offset] - 0x30)
        }
        guard status >= 100 else { throw .malformed(reason: "its status is below 100") }
        self.status = status
        framing.isHTTP11 = head[version] == 0x31
    }

    mutating func readField(_ line: Range<Int>) throws(CallFailure) {
        var colon = line.lowerBound
        while colon < line.upperBound, FrameGuard.isToken(head[colon]) { colon += 1 }
        guard colon > line.lowerBound, colon < line.upperBound, head[colon] == 0x3A else {
            throw .malformed(reason: "a header has no proper name")
        }
        let value = trimmed(colon + 1..<line.upperBound)
        for offset in value where head[offset] < 0x20 && head[offset] != 0x09 {
            throw .malformed(reason: "a header value has a control byte")
        }
        let name = line.lowerBound..<colon
        fields.append((name, value))
        if matches(name, "content-length") {
            framing.length = try length(value)
        } else if matches(name, "transfer-encoding") {
            guard !framing.isChunked, matches(value, "chunked") else {
                throw .malformed(reason: "its transfer encoding is not chunked")
            }
            framing.isChunked = true
        } else if matches(name, "connection") {
            readConnection(value)
        }
    }

    private func length(_ value: Range<Int>) throws(CallFailure) -> Int {
        guard framing.length == nil, (1...18).contains(value.count) else {
            throw .malformed(reason: "its length is ambiguous")
        }
        var length = 0
        for offset in value {
            guard (0x30...0x39).contains(head[offset]) else {
                throw .malformed(reason: "its length is no number")
            }
            length = length * 10 + Int(head[offset] - 0x30)
        }
        return length
    }

    /// A list of words between commas.
    private mutating func readConnection(_ value: Range<Int>) {
        var start = value.lowerBound
        for offset in value.lowerBound...value.upperBound
        where offset == value.upperBound || head[offset] == 0x2C {
            let word = trimmed(start..<offset)
            if matches(word, "close") { framing.closes = true }
            if matches(word, "keep-alive") { framing.keeps = true }
            start = offset + 1
        }
    }

    private func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, head[start] == 0x20 || head[start] == 0x09 { start += 1 }
        while end > start, head[end - 1] == 0x20 || head[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    /// Where the value of the first header of that name lies in `head`.
    func value(of name: StaticString) -> Range<Int>? {
        for field in fields where matches(field.name, name) { return field.value }
        return nil
    }

    /// Whether `head` says `word` there, in any case.
    private func matches(_ range: Range<Int>, _ word: StaticString) -> Bool {
        word.withUTF8Buffer { letters in
            if letters.count != range.count { return false }
            for offset in 0..<letters.count {
                let (byte, letter) = unsafe (head[range.lowerBound + offset], letters[offset])
                if Self.lowercased(byte) != Self.lowercased(letter) { return false }
            }
            return true
        }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }
}
