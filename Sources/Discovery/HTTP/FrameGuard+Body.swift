extension FrameGuard {
    /// Skips body bytes without looking at them; returns how many.
    mutating func skip(atMost count: Int) -> Int {
        let skipped = min(UInt32(clamping: count), remaining)
        remaining -= skipped
        if remaining == 0 { state = state == .body ? .complete : .chunkEnd }
        return Int(skipped)
    }

    mutating func startChunk() {
        number = 0
        wordCount = 0
        state = .chunkSize
    }

    /// Takes one byte of a chunk's size line, or of the line end behind its data. True when it was
    /// the last of them.
    mutating func readChunkLine(_ byte: UInt8) throws(Violation) -> Bool {
        switch state {
        case .chunkSize:
            try readChunkSize(byte)
            return false
        case .chunkLineFeed:
            guard byte == 0x0A else { throw .malformedChunkSize }
            try endChunkSize()
            return true
        case .chunkEnd:
            guard byte == 0x0D else { throw .malformedChunkEnd }
            state = .chunkEndFeed
            return false
        default:
            guard byte == 0x0A else { throw .malformedChunkEnd }
            startChunk()
            return true
        }
    }

    /// No chunk extensions: libevent 2.1.12 refuses `5;name` (http.c, evhttp_handle_chunked_read)
    /// and no client of ours sends them.
    private mutating func readChunkSize(_ byte: UInt8) throws(Violation) {
        let digit: UInt8
        switch byte {
        case 0x30...0x39: digit = byte - 0x30
        case 0x41...0x46: digit = byte - 0x41 + 10
        case 0x61...0x66: digit = byte - 0x61 + 10
        case 0x0D where wordCount > 0:
            state = .chunkLineFeed
            return
        default: throw .malformedChunkSize
        }
        guard wordCount < 8 else { throw .malformedChunkSize }
        number = number << 4 | UInt64(digit)
        wordCount += 1
    }

    private mutating func endChunkSize() throws(Violation) {
        if number == 0 {
            seen.insert(.trailers)
            state = .fieldStart
            return
        }
        guard number <= UInt64(bodyBytesMax - chunkedBytes) else { throw .bodyTooLarge }
        chunkedBytes += UInt32(number)
        remaining = UInt32(number)
        state = .chunkData
    }
}
