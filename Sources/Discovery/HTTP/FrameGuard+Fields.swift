extension FrameGuard {
    private enum Known {
        static let host = Word("host")
        static let expect = Word("expect")
        static let contentLength = Word("content-length")
        static let transferEncoding = Word("transfer-encoding")
    }

    private static let chunkedLetters = Array("chunked".utf8)
    private static let continueLetters = Array("100-continue".utf8)

    /// Takes one byte of a header or trailer. True when it was the line feed that ends them all.
    mutating func readField(_ byte: UInt8) throws(Violation) -> Bool {
        switch state {
        case .fieldStart: try startField(byte)
        case .fieldName: try endName(byte)
        case .fieldValue: try readValue(byte)
        case .fieldLineFeed:
            guard byte == 0x0A else { throw .malformedLineEnd }
            state = .fieldStart
        default:
            guard byte == 0x0A else { throw .malformedLineEnd }
            try endFields()
            return true
        }
        return false
    }

    private mutating func startField(_ byte: UInt8) throws(Violation) {
        switch byte {
        case 0x0D: state = .lastLineFeed
        case 0x0A: throw .malformedLineEnd
        case 0x20, 0x09: throw .foldedField
        default:
            guard Self.isToken(byte) else { throw .malformedFieldName }
            startWord()
            append(byte)
            state = .fieldName
        }
    }

    /// Takes the bytes of the name up to the first that is none.
    mutating func readName(_ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int) {
        while offset < end, Self.isToken(bytes[offset]) {
            append(bytes[offset])
            offset += 1
        }
    }

    private mutating func endName(_ byte: UInt8) throws(Violation) {
        guard byte == 0x3A else { throw .malformedFieldName }
        valueKind = .plain
        valueEnded = false
        state = .fieldValue
        // Trailers are read and thrown away by evhttp: none of these means anything there.
        if seen.contains(.trailers) { return }
        switch wordCount {
        case 4 where word == Known.host:
            if seen.contains(.host) { throw .repeatedHost }
            seen.insert(.host)
        case 6 where word == Known.expect:
            if seen.contains(.expectation) { throw .unsupportedExpectation }
            seen.insert(.expectation)
            valueKind = .expectation
        case 14 where word == Known.contentLength:
            if seen.contains(.length) { throw .repeatedContentLength }
            seen.insert(.length)
            number = 0
            valueKind = .length
        case 17 where word == Known.transferEncoding:
            if seen.contains(.chunked) { throw .unsupportedTransferEncoding }
            seen.insert(.chunked)
            valueKind = .chunked
        default: break
        }
        wordCount = 0
    }

    /// Skips to the end of a value nobody looks at, or to a byte that must not be in one.
    func skipValue(_ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int) {
        while offset < end, Self.isValue(bytes[offset]) { offset += 1 }
    }

    @inline(__always)
    private static func isValue(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F || byte == 0x09
    }

    private mutating func readValue(_ byte: UInt8) throws(Violation) {
        switch byte {
        case 0x0D:
            try endValue()
            state = .fieldLineFeed
        case 0x0A: throw .malformedLineEnd
        case 0x09 where valueKind == .expectation && wordCount == 0:
            // evhttp strips spaces in front of a value, not tabs, and would compare the tab.
            throw .unsupportedExpectation
        case 0x20, 0x09:
            if wordCount > 0 { valueEnded = true }
        default:
            guard Self.isValue(byte) else { throw .malformedFieldValue }
            try readValueByte(byte)
        }
    }

    private mutating func readValueByte(_ byte: UInt8) throws(Violation) {
        switch valueKind {
        case .plain: break
        case .length:
            guard !valueEnded, wordCount < 18, byte >= 0x30, byte <= 0x39 else {
                throw .malformedContentLength
            }
            number = number * 10 + UInt64(byte - 0x30)
            wordCount += 1
        case .chunked:
            guard matches(byte, Self.chunkedLetters) else { throw .unsupportedTransferEncoding }
        case .expectation:
            guard matches(byte, Self.continueLetters) else { throw .unsupportedExpectation }
        }
    }

    /// Whether `byte`, in any case, goes on spelling `letters`.
    private mutating func matches(_ byte: UInt8, _ letters: [UInt8]) -> Bool {
        let position = Int(wordCount)
        guard !valueEnded, position < letters.count else { return false }
        let isLetter = byte >= 0x41 && byte <= 0x5A
        wordCount += 1
        return (isLetter ? byte | 0x20 : byte) == letters[position]
    }

    private func endValue() throws(Violation) {
        let count = Int(wordCount)
        switch valueKind {
        case .plain: break
        case .length: if count == 0 { throw .malformedContentLength }
        case .chunked:
            if count != Self.chunkedLetters.count { throw .unsupportedTransferEncoding }
        case .expectation:
            if count != Self.continueLetters.count { throw .unsupportedExpectation }
        }
    }

    /// Decides from the whole head how the body is framed.
    private mutating func endFields() throws(Violation) {
        if seen.contains(.trailers) {
            state = .complete
            return
        }
        if seen.contains(.http11), !seen.contains(.host) { throw .missingHost }
        if seen.contains(.chunked) {
            if seen.contains(.length) { throw .lengthAndTransferEncoding }
            guard seen.contains(.http11) else { throw .transferEncodingBeforeHTTP11 }
            if verb == .bodiless { throw .bodyNotAllowed }
            startChunk()
            return
        }
        guard seen.contains(.length), number > 0 else {
            state = .complete
            return
        }
        if verb == .bodiless { throw .bodyNotAllowed }
        if number > UInt64(bodyBytesMax) { throw .bodyTooLarge }
        remaining = UInt32(number)
        state = .body
    }
}
