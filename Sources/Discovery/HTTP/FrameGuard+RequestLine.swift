extension FrameGuard {
    private enum Known {
        static let get = Word("get")
        static let put = Word("put")
        static let head = Word("head")
        static let post = Word("post")
        static let trace = Word("trace")
        static let patch = Word("patch")
        static let delete = Word("delete")
        static let options = Word("options")
    }

    private static let schemeLetters = Array("http".utf8)
    private static let versionLetters = Array("HTTP/1.".utf8)

    mutating func readMethod(_ byte: UInt8) throws(Violation) {
        if state == .start {
            startWord()
            state = .method
        }
        if byte == 0x20, wordCount > 0 {
            try endMethod()
            return
        }
        guard Self.isToken(byte) else { throw .malformedMethod }
        // Methods are case-sensitive (RFC 9110, 9.1), and all those known here are capitals.
        if byte < 0x41 || byte > 0x5A {
            wordCount = Word.bytesMax
            return
        }
        append(byte)
    }

    /// Lets through the methods evhttp parses. CONNECT is not among them: it would be parsed by
    /// other rules than a path, and a server that is no proxy has no use for it.
    private mutating func endMethod() throws(Violation) {
        let isKnown =
            switch wordCount {
            case 3: word == Known.get || word == Known.put
            case 4: word == Known.post || word == Known.head
            case 5: word == Known.trace || word == Known.patch
            case 6: word == Known.delete
            case 7: word == Known.options
            default: false
            }
        guard isKnown else { throw .unknownMethod }
        // libevent 2.1.12, http.c, evhttp_method_may_have_body: evhttp takes what follows the head
        // of these two for the next request, whatever the head announces.
        if word == Known.head || word == Known.trace { verb = .bodiless }
        state = .targetStart
    }

    mutating func readTarget(_ byte: UInt8) throws(Violation) {
        switch state {
        case .targetStart: try readTargetStart(byte)
        case .targetSecond:
            // Clients whose base URL ends in a slash ask for `//discovery/nodes`. evhttp reads a
            // host and a path there, and refuses what cannot be a host.
            if byte == 0x2F {
                wordCount = 0
                state = .targetAuthority
                return
            }
            state = .targetRest
            try readTargetRest(byte)
        case .targetStar:
            if byte != 0x20 { throw .malformedTarget }
            startVersion()
        case .targetScheme: try readScheme(byte)
        case .targetAuthority, .targetPort: try readAuthority(byte)
        default: try readTargetRest(byte)
        }
    }

    private mutating func readTargetStart(_ byte: UInt8) throws(Violation) {
        switch byte {
        case 0x2F: state = .targetSecond
        case 0x2A where word == Known.options: state = .targetStar
        case 0x48, 0x68:
            wordCount = 1
            state = .targetScheme
        default: throw .malformedTarget
        }
    }

    /// Reads the rest of `http://` or `https://`; `wordCount` is the position in the longer one.
    private mutating func readScheme(_ byte: UInt8) throws(Violation) {
        let position = Int(wordCount)
        wordCount += 1
        switch position {
        case 1..<4:
            if byte | 0x20 != Self.schemeLetters[position] { throw .malformedTarget }
        case 4:
            if byte == 0x3A {
                wordCount = 6
            } else if byte | 0x20 != 0x73 {
                throw .malformedTarget
            }
        case 5:
            if byte != 0x3A { throw .malformedTarget }
        default:
            if byte != 0x2F { throw .malformedTarget }
            if position == 7 {
                wordCount = 0
                state = .targetAuthority
            }
        }
    }

    /// A name or an IPv4 address, and a port: the part of an authority whose reading by evhttp
    /// leaves no doubt. The server ignores it anyway.
    private mutating func readAuthority(_ byte: UInt8) throws(Violation) {
        switch byte {
        case 0x20, 0x23, 0x2F, 0x3F:
            if wordCount == 0 { throw .malformedTarget }
            state = .targetRest
            try readTargetRest(byte)
        case 0x3A where state == .targetAuthority && wordCount > 0:
            number = 0
            state = .targetPort
        case 0x30...0x39 where state == .targetPort:
            number = number * 10 + UInt64(byte - 0x30)
            if number > 65_535 { throw .malformedTarget }
        case 0x2D, 0x2E, 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A, 0x7E:
            if state == .targetPort { throw .malformedTarget }
            wordCount = 1
        default: throw .malformedTarget
        }
    }

    /// Skips to the end of the target, or to a byte that must not be in one.
    func skipTarget(_ bytes: Span<UInt8>, _ offset: inout Int, _ end: Int) {
        while offset < end, bytes[offset] > 0x20, bytes[offset] != 0x7F { offset += 1 }
    }

    private mutating func readTargetRest(_ byte: UInt8) throws(Violation) {
        if byte == 0x20 {
            startVersion()
        } else if byte < 0x20 || byte == 0x7F {
            throw .malformedTarget
        }
    }

    private mutating func startVersion() {
        wordCount = 0
        state = .version
    }

    mutating func readVersion(_ byte: UInt8) throws(Violation) {
        switch state {
        case .version where wordCount < 7:
            if byte != Self.versionLetters[Int(wordCount)] { throw .unsupportedVersion }
            wordCount += 1
        case .version:
            guard byte == 0x30 || byte == 0x31 else { throw .unsupportedVersion }
            if byte == 0x31 { seen.insert(.http11) }
            state = .versionEnd
        case .versionEnd:
            if byte == 0x0A { throw .malformedLineEnd }
            guard byte == 0x0D else { throw .unsupportedVersion }
            state = .requestLineFeed
        default:
            guard byte == 0x0A else { throw .malformedLineEnd }
            state = .fieldStart
        }
    }
}
