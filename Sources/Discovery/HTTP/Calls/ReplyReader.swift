/// Reads one reply, byte by byte and strictly: what two parties could read differently is refused.
///
/// Pure and incremental: the outcome does not depend on how the bytes are split. It never reads
/// beyond the end of the reply.
package struct ReplyReader: Sendable {
    private enum State {
        case head
        /// `remaining` bytes are to come.
        case body, chunkData
        /// The end of the connection is the end of the body.
        case untilClose
        case chunkSize, chunkEnd, trailers
        case complete
    }

    let headBytesMax: Int
    let bodyBytesMax: Int

    private var state = State.head
    /// 0 until the status line has been read.
    package internal(set) var status = 0
    /// From the status line to the empty line, without interim replies.
    package private(set) var head: [UInt8] = []
    var fields: [(name: Range<Int>, value: Range<Int>)] = []
    package private(set) var body: [UInt8] = []
    /// Bytes of all lines that belong together: of all heads, of a chunk's size, of the trailers.
    private var lineBytes = 0
    private var lineStart = 0
    private var previous: UInt8 = 0
    private var remaining = 0
    private var digitCount = 0
    private var isInExtension = false
    var framing = ReplyFraming()

    /// A byte of it has come.
    package private(set) var hasBegun = false

    package init(headBytesMax: Int, bodyBytesMax: Int) {
        self.headBytesMax = headBytesMax
        self.bodyBytesMax = bodyBytesMax
    }

    package var isComplete: Bool { state == .complete }

    /// Whether the connection can be used again behind the reply.
    package var keepsOpen: Bool { isComplete && framing.keepsOpen }

    /// Reads the next bytes; returns how many belong to the reply.
    package mutating func read(_ bytes: Span<UInt8>) throws(CallFailure) -> Int {
        var offset = 0
        if bytes.count > 0 { hasBegun = true }
        while offset < bytes.count {
            switch state {
            case .head:
                try readHeadByte(bytes[offset])
                offset += 1
            case .body, .chunkData, .untilClose: offset += try takeBody(bytes, from: offset)
            case .chunkSize, .chunkEnd, .trailers:
                try readLineByte(bytes[offset])
                offset += 1
            case .complete: return offset
            }
        }
        return offset
    }

    /// The other side has closed in an orderly way.
    package mutating func ended() throws(CallFailure) {
        guard state == .untilClose else { throw .closed }
        state = .complete
    }

    // MARK: Head

    private static let prefix = Array("HTTP/1.".utf8)

    private mutating func readHeadByte(_ byte: UInt8) throws(CallFailure) {
        lineBytes += 1
        if lineBytes > headBytesMax { throw .malformed(reason: "the head is too large") }
        // Whatever speaks no HTTP need not be listened to until it ends a line.
        if head.count < Self.prefix.count, byte != Self.prefix[head.count] {
            throw .malformed(reason: "it does not begin with HTTP/1.")
        }
        head.append(byte)
        if byte != 0x0A { return }
        let end = head.count - 2
        guard end >= lineStart, head[end] == 0x0D else { throw Self.badLineEnd }
        let line = lineStart..<end
        lineStart = head.count
        if line.isEmpty {
            try endHead()
        } else if status == 0 {
            try readStatusLine(line)
        } else {
            try readField(line)
        }
    }

    static let badLineEnd = CallFailure.malformed(reason: "a line does not end with CR LF")

    /// Decides how the body is framed (RFC 9112, 6.3).
    private mutating func endHead() throws(CallFailure) {
        if status < 200 {
            // 101 would end HTTP on this connection, and nobody asked for that.
            if status == 101 { throw .malformed(reason: "it switches protocols") }
            status = 0
            head.removeAll(keepingCapacity: true)
            fields.removeAll(keepingCapacity: true)
            framing = ReplyFraming()
            lineStart = 0
            return
        }
        if framing.isChunked {
            if framing.length != nil || !framing.isHTTP11 {
                throw .malformed(reason: "its length is ambiguous")
            }
        }
        lineBytes = 0
        if status == 204 || status == 304 {
            state = .complete
        } else if framing.isChunked {
            state = .chunkSize
        } else if let length = framing.length {
            if length > bodyBytesMax { throw .replyTooLarge }
            remaining = length
            body.reserveCapacity(min(length, Self.reservedBytesMax))
            state = length == 0 ? .complete : .body
        } else {
            framing.closes = true
            state = .untilClose
        }
    }

    /// Reserved on the mere announcement of a body.
    private static let reservedBytesMax = 1 << 20

    // MARK: Body

    private mutating func takeBody(
        _ bytes: Span<UInt8>, from start: Int
    ) throws(CallFailure) -> Int {
        var count = bytes.count - start
        if state == .untilClose {
            if count > bodyBytesMax - body.count { throw .replyTooLarge }
        } else {
            count = min(count, remaining)
            remaining -= count
        }
        unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe body.append(contentsOf: bytes[start..<start + count])
        }
        if state != .untilClose, remaining == 0 {
            state = state == .body ? .complete : .chunkEnd
            previous = 0
        }
        return count
    }

    /// Takes a byte of the lines between chunks and behind them.
    private mutating func readLineByte(_ byte: UInt8) throws(CallFailure) {
        lineBytes += 1
        if lineBytes > headBytesMax { throw .malformed(reason: "a line is too long") }
        if byte == 0x0A, previous != 0x0D { throw Self.badLineEnd }
        if previous == 0x0D, byte != 0x0A { throw Self.badLineEnd }
        previous = byte
        switch state {
        case .chunkSize: try readChunkSize(byte)
        case .chunkEnd:
            if byte == 0x0A {
                lineBytes = 0
                state = .chunkSize
            } else if byte != 0x0D {
                throw .malformed(reason: "a chunk is longer than its size")
            }
        case .trailers:
            // Read and thrown away: `digitCount` counts the bytes of the line.
            if byte == 0x0A {
                if digitCount == 0 { state = .complete }
                digitCount = 0
            } else if byte != 0x0D {
                digitCount += 1
            }
        case .head, .body, .chunkData, .untilClose, .complete:
            preconditionFailure("no line is being read in state \(state)")
        }
    }

    private mutating func readChunkSize(_ byte: UInt8) throws(CallFailure) {
        switch byte {
        case 0x0D:
            if digitCount == 0 { throw Self.badChunkSize }
        case 0x0A: try endChunkSize()
        case 0x3B where digitCount > 0: isInExtension = true
        case _ where isInExtension: break
        default:
            guard digitCount < 8, let digit = Self.hexadecimal(byte) else {
                throw Self.badChunkSize
            }
            remaining = remaining << 4 | digit
            digitCount += 1
        }
    }

    private static let badChunkSize = CallFailure.malformed(reason: "a chunk has no proper size")

    private mutating func endChunkSize() throws(CallFailure) {
        digitCount = 0
        lineBytes = 0
        isInExtension = false
        if remaining > bodyBytesMax - body.count { throw .replyTooLarge }
        state = remaining == 0 ? .trailers : .chunkData
    }

    private static func hexadecimal(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }
}
