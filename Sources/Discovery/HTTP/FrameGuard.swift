/// Decides, byte by byte, where each request on a connection ends and whether it is well framed.
///
/// evhttp 2.1.12 is lax where laxness lets two parties disagree about where a message ends (request
/// smuggling): it takes the first of two different Content-Lengths, folds lines, ends lines at a
/// bare LF, cuts values at NUL, reads `0x5` as a chunk size. So nothing reaches it before this
/// machine has seen it: what passes here, evhttp frames in exactly the same way.
///
/// Pure and incremental: the outcome does not depend on how the bytes are split. Everything it
/// refuses, it refuses at the first byte that proves the message wrong.
package struct FrameGuard: Sendable {
    /// What one call found.
    package struct Scan: Equatable, Sendable {
        /// Messages that ended in these bytes.
        package var completed = 0
        /// Offset behind the last of them; 0 when none ended here.
        package var end = 0
        /// Set at most once in a connection's life; nothing is scanned after it.
        package var violation: Violation?
    }

    /// Where the message that is being read stands.
    package enum Phase: Sendable {
        /// Between messages.
        case idle
        case head
        case body
    }

    enum State: UInt8 {
        case start, method
        case targetStart, targetSecond, targetStar, targetScheme, targetAuthority, targetPort
        case targetRest
        case version, versionEnd, requestLineFeed
        case fieldStart, fieldName, fieldValue, fieldLineFeed, lastLineFeed
        case body
        case chunkSize, chunkLineFeed, chunkData, chunkEnd, chunkEndFeed
        case complete, failed
    }

    enum Verb: UInt8 { case mayHaveBody, bodiless }

    /// How the value of the current header is looked at.
    enum ValueKind: UInt8 { case plain, length, chunked, expectation }

    struct Seen: OptionSet {
        let rawValue: UInt8
        static let host = Seen(rawValue: 1)
        static let length = Seen(rawValue: 2)
        static let chunked = Seen(rawValue: 4)
        static let expectation = Seen(rawValue: 8)
        static let http11 = Seen(rawValue: 16)
        static let trailers = Seen(rawValue: 32)
    }

    let headBytesMax: UInt32
    let bodyBytesMax: UInt32

    var state = State.start
    var verb = Verb.mayHaveBody
    var valueKind = ValueKind.plain
    var seen: Seen = []
    /// Bytes of the head, of the chunk line, or of the trailers, whichever is being read.
    var lineBytes: UInt32 = 0
    /// Bytes of the body, or of the current chunk, still to come.
    var remaining: UInt32 = 0
    /// Bytes of all chunks announced so far; never above `bodyBytesMax`.
    var chunkedBytes: UInt32 = 0
    /// The number being read: Content-Length, chunk size or port.
    var number: UInt64 = 0
    /// Bytes of the current word (method, name, literal, digits); saturates, see `append`.
    var wordCount: UInt8 = 0
    /// White space has ended the value: only more of it may follow.
    var valueEnded = false
    /// The current method or header name in lower case, eight bytes to each; see `append`.
    var word = Word()

    package init(headBytesMax: Int, bodyBytesMax: Int) {
        self.headBytesMax = UInt32(clamping: headBytesMax)
        self.bodyBytesMax = UInt32(clamping: bodyBytesMax)
    }

    package var phase: Phase {
        switch state {
        case .start, .complete, .failed: .idle
        case .body, .chunkSize, .chunkLineFeed, .chunkData, .chunkEnd, .chunkEndFeed: .body
        default: seen.contains(.trailers) ? .body : .head
        }
    }

    /// Reads the next bytes of the connection.
    package mutating func scan(_ bytes: Span<UInt8>) -> Scan {
        var scan = Scan()
        if state == .failed { return scan }
        var offset = 0
        do throws(Violation) {
            while offset < bytes.count {
                switch state {
                case .body, .chunkData: offset += skip(atMost: bytes.count - offset)
                default: offset = try scanLines(bytes, from: offset)
                }
                if state == .complete {
                    scan.completed += 1
                    scan.end = offset
                    begin()
                }
            }
        } catch {
            state = .failed
            scan.violation = error
        }
        return scan
    }

    /// Forgets the message that has ended.
    private mutating func begin() {
        state = .start
        verb = .mayHaveBody
        seen = []
        lineBytes = 0
        chunkedBytes = 0
    }

    /// Reads lines until the head, the chunk line or the trailers end, or the bytes do.
    private mutating func scanLines(
        _ bytes: Span<UInt8>, from start: Int
    ) throws(Violation) -> Int {
        let room = Int(headBytesMax - lineBytes)
        let end = bytes.count - start > room ? start + room : bytes.count
        var offset = start
        while offset < end {
            switch state {
            case .targetRest: skipTarget(bytes, &offset, end)
            case .fieldName: readName(bytes, &offset, end)
            case .fieldValue where valueKind == .plain: skipValue(bytes, &offset, end)
            default: break
            }
            if offset == end { break }
            let byte = bytes[offset]
            offset += 1
            if try step(byte) {
                lineBytes = 0
                return offset
            }
        }
        lineBytes += UInt32(offset - start)
        if offset < bytes.count { throw .headTooLarge }
        return offset
    }

    /// Takes one byte of a line. True when it was the last of its head, chunk line or trailers.
    private mutating func step(_ byte: UInt8) throws(Violation) -> Bool {
        switch state {
        case .start, .method: try readMethod(byte)
        case .targetStart, .targetSecond, .targetStar, .targetScheme, .targetAuthority, .targetPort,
            .targetRest:
            try readTarget(byte)
        case .version, .versionEnd, .requestLineFeed: try readVersion(byte)
        case .fieldStart, .fieldName, .fieldValue, .fieldLineFeed, .lastLineFeed:
            return try readField(byte)
        case .chunkSize, .chunkLineFeed, .chunkEnd, .chunkEndFeed:
            return try readChunkLine(byte)
        case .body, .chunkData, .complete, .failed:
            preconditionFailure("no line is being read in state \(state)")
        }
        return false
    }
}
