import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// What is refused of the bytes of another node, each with its sentence.
@Suite struct ExchangeRefusalTests {
    private typealias Bytes = ExchangeTests

    private func refusal(_ bytes: [UInt8], isReply: Bool = false) -> String? {
        do {
            if isReply {
                _ = try ExchangeReader.reply(bytes.span)
            } else {
                _ = try ExchangeReader.exchange(bytes.span)
            }
            return nil
        } catch {
            #expect(error.refusal == .invalid)
            return error.message
        }
    }

    @Test(arguments: [
        ("", "the exchange breaks off after 0 bytes"),
        ("01", "the exchange breaks off after 1 bytes"),
        (
            "00 02 00000000",
            "exchanges of version 0 are not understood here, only those of version 1"
        ),
        (
            "02 02 00000000",
            "exchanges of version 2 are not understood here, only those of version 1"
        ),
        ("01 00", "there is no exchange of kind 0"),
        ("01 06", "there is no exchange of kind 6"),
        ("01 83", "an exchange of kind 131 is an answer"),
        ("01 02 000000", "the exchange breaks off after 5 bytes"),
        ("01 02 00000000 00", "the exchange has 1 bytes too many"),
        ("01 01 02 00000000 00000000", "a flag of the exchange must be 0 or 1, got 2"),
    ])
    func `the frame of an exchange is strict`(digits: String, sentence: String) {
        #expect(refusal(Bytes.hex(digits)) == sentence)
    }

    @Test func `a question is no answer`() {
        let question = Bytes.hex("01 02 00000000")
        #expect(refusal(question, isReply: true) == "an exchange of kind 2 is no answer")
    }

    /// Four billion of each, in messages of a few bytes: refused before room is made.
    @Test(arguments: [
        ("01 01 00 ffffffff", "renewals"), ("01 01 00 00000000 ffffffff", "records"),
        ("01 04 ffffffff 0000", "numbers"), ("01 05 00000000 00000000 ffffffff", "entries"),
        ("01 05 00000000 00000000 00000000 ffffffff", "applications"),
        ("01 05 40000000 00000000", "numbers"),
    ])
    func `a count is never believed beyond the bytes there are`(digits: String, things: String) {
        let sentence = refusal(Bytes.hex(digits))
        #expect(sentence?.contains("\(things) in its last") == true)
    }

    @Test(arguments: [
        ("01 81 ffffffff", "numbers"), ("01 82 00 00 ffffffff 00", "records"),
        ("01 86 00 ffffffff", "keys"), ("01 84 00 ffffffff", "numbers"),
    ])
    func `nor is one in an answer`(digits: String, things: String) {
        let sentence = refusal(Bytes.hex(digits), isReply: true)
        #expect(sentence?.contains("\(things) in its last") == true)
    }

    @Test(arguments: [
        "00 0161 017a 0168", "03646576 0161 017a 017f", "03646576 0161 017a 0100",
        "03646576 0161 017a 01c3", "03646576 01ff 017a 0168", "03646576 0161 03eda080 0168",
    ])
    func `names are held to the rules of a register`(key: String) {
        let rest = Bytes.int(5) + "00" + Bytes.int(9) + "00"
        let sentence = "a name in the exchange is empty, not UTF-8 or not printable"
        #expect(refusal(Bytes.hex("01 01 00 00000000 00000001", key, rest)) == sentence)
        #expect(
            refusal(
                Bytes.hex("01 01 00 00000001", key, Bytes.int(5), "00000001 00000000 00000000"))
                == sentence)
    }

    /// Each would be walked once more.
    @Test(arguments: [
        ("01 05 00000002 00000007 00000007 00000000", "got 7 behind 7"),
        ("01 05 00000000 00000002 00000008 00000007", "got 7 behind 8"),
    ])
    func `leaves are named once, in order`(digits: String, sentence: String) {
        #expect(refusal(Bytes.hex(digits)) == "leaves must ascend, " + sentence)
    }

    @Test func `a key ends with its fourth field`() {
        let short = Bytes.hex(
            "01 01 00 00000000 00000001 03646576 0161 017a f068", Bytes.int(5), "00",
            Bytes.int(9))
        #expect(refusal(short) == "the exchange breaks off after \(short.count) bytes")
    }

    /// A register of these bytes as content.
    private func message(
        content: [UInt8], status: String = "01", length: Int? = nil
    ) -> [UInt8] {
        let count = UInt32(length ?? content.count)
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * UInt32($0))) }
        let times = (1...4).map { Bytes.int($0) }.joined()
        return Bytes.hex(
            "01 01 00 00000000 00000001", Bytes.key, Bytes.int(7), status, times)
            + bytes + content
    }

    @Test(arguments: [
        ("", "an instance is broken off or over a limit"),
        ("01", "an instance is broken off or over a limit"),
        // A field longer than what is left.
        ("01 ffff72 000176 0001 000178 0000", "an instance is broken off or over a limit"),
        // More addresses, and more entries, than the bytes could hold.
        ("01 000172 000176 0040 000178 0000", "an instance is broken off or over a limit"),
        ("01 000172 000176 0001 000178 0100", "an instance is broken off or over a limit"),
        ("01 000172 000176 0000 0000", "an instance has 1 to 128 addrs, got 0"),
        ("01 000172 000176 0001 0000 0000", "an instance has an empty address"),
        ("00 00010a 000176 0001 000178 0000", "region must not contain control characters"),
        ("00 000172 0001ff 0001 000178 0000", "an instance has text that is not UTF-8"),
        // Not sorted, twice, a wrong flag in both directions, no flag, a byte too many.
        (
            "01 000172 000176 0001 000178 0002 000162 0000 000161 0000",
            "an instance is not packed in its canonical form"
        ),
        (
            "01 000172 000176 0001 000178 0002 000161 0000 000161 0000",
            "an instance is not packed in its canonical form"
        ),
        (
            "00 000172 000176 0001 000178 0000",
            "an instance is not packed in its canonical form"
        ),
        (
            "01 000172 00013c 0001 000178 0000",
            "an instance is not packed in its canonical form"
        ),
        (
            "01 000172 0001ff 0001 000178 0000",
            "an instance is not packed in its canonical form"
        ),
        (
            "02 000172 000176 0001 000178 0000",
            "an instance is not packed in its canonical form"
        ),
        (
            "01 000172 000176 0001 000178 0000 00",
            "an instance is not packed in its canonical form"
        ),
    ])
    func `a content is taken in its one packed form only`(digits: String, sentence: String) {
        #expect(refusal(message(content: Bytes.hex(digits))) == sentence)
    }

    @Test func `a content is no longer than the exchange`() {
        let bytes = message(content: Bytes.hex(Bytes.content), length: 21)
        #expect(refusal(bytes) == "the exchange breaks off after \(bytes.count) bytes")
        #expect(
            refusal(message(content: Bytes.hex(Bytes.content), length: -1 & 0xFFFF_FFFF)) != nil)
    }

    @Test func `a status is 1 or 2`() {
        #expect(refusal(message(content: Bytes.hex(Bytes.content))) == nil)
        #expect(
            refusal(message(content: Bytes.hex(Bytes.content), status: "03"))
                == "status must be 1 or 2, got 3")
    }

    private func packed(
        region: Int = 0, version: Int = 0, addrs: Int = 1, address: Int = 1, entries: Int = 0,
        value: Int = 0
    ) throws -> [UInt8] {
        let content = InstanceContent(
            region: Array(repeating: 0x61, count: region),
            version: Array(repeating: 0x61, count: version),
            addrs: Array(repeating: Array(repeating: 0x61, count: address), count: addrs),
            metadata: (0..<entries).map { index in
                InstanceContent.Entry(
                    key: bytes("\(index)"), value: Array(repeating: 0x61, count: value))
            })
        return try #require(content).packed
    }

    @Test func `a content is held to the limits of a register`() throws {
        #expect(refusal(message(content: try packed(region: 1024, version: 1024))) == nil)
        #expect(refusal(message(content: try packed(addrs: 128, address: 1024))) == nil)
        #expect(refusal(message(content: try packed(entries: 513, value: 280))) == nil)
        let table = try [
            (packed(region: 1025), "region may have at most 1024 bytes, got 1025"),
            (packed(version: 1025), "version may have at most 1024 bytes, got 1025"),
            (packed(address: 1025), "addrs may have at most 1024 bytes, got 1025"),
            (packed(addrs: 129), "an instance is broken off or over a limit"),
            (packed(entries: 514), "an instance is broken off or over a limit"),
            (
                packed(entries: 9, value: 60_000),
                "metadata may have at most 148064 bytes, got 540009"
            ),
        ]
        for (content, sentence) in table {
            #expect(refusal(message(content: content)) == sentence)
        }
    }

    /// Nodes whose limits differ: one instance must not keep the others from being told.
    @Test func `an answer is taken without what is over a limit here, a question is not`() throws {
        let times = Record.Registered(
            content: try #require(InstanceContent(packing: 1)), status: .up, registered: 1, up: 1,
            silence: 1)
        var large = times
        large.content = try #require(InstanceContent(packing: 3))
        let key = InstanceKey(packed: Bytes.hex(Bytes.key))
        let records = [times, large, times].enumerated().map { index, state in
            Record(key: key, version: Int64(index), state: .registered(state))
        }
        var limits = WireLimits()
        limits.addrsMax = 2
        let page = Page(records: records, stamps: [], next: 7, isProtected: false)
        let pageRead = try ExchangeReader.reply(Bytes.written(.page(page)).span, limits)
        guard case .page(let read) = pageRead else {
            Issue.record("no page")
            return
        }
        #expect(read.records.map(\.version) == [0, 2])
        #expect(read.skipped == 1)
        #expect(read.next == 7)

        let differences = Differences(
            wanted: [key], records: records, stamps: [], isPartial: true)
        let answer = Bytes.written(.entries(differences))
        guard case .entries(let taken) = try ExchangeReader.reply(answer.span, limits) else {
            Issue.record("no differences")
            return
        }
        #expect(taken.records.map(\.version) == [0, 2])
        #expect(taken.skipped == 1)
        #expect(taken.wanted == [key])

        var changes = Changes(isSameZone: true)
        changes.records = records
        let question = Bytes.written(.changes(changes))
        #expect(throws: Rejection.self) { try ExchangeReader.exchange(question.span, limits) }
    }

    @Test func `durations are never negative`() throws {
        let times = Bytes.int(-1) + Bytes.int(.min) + Bytes.int(-2) + Bytes.int(-3)
        let bytes = Bytes.hex(
            "01 01 00 00000000 00000002", Bytes.key, Bytes.int(.min), "01", times, "00000014",
            Bytes.content, Bytes.key, Bytes.int(7), "00", Bytes.int(-1))
        guard case .changes(let changes) = try ExchangeReader.exchange(bytes.span) else {
            Issue.record("not read as changes")
            return
        }
        guard case .registered(let registered) = changes.records[0].state else {
            Issue.record("not registered")
            return
        }
        #expect(registered.silence == 0 && registered.registered == -1 && registered.up == .min)
        #expect(changes.records[0].version == .min)
        #expect(changes.records[1].state == .cancelled(age: 0))
    }

    @Test func `what a register may bring, an exchange may carry`() throws {
        let numbers = (0..<512).map { "\"k\($0)\":1e99" }.joined(separator: ",")
        let form = "zone=z&env=e&appid=a&hostname=h&addrs=x&status=1&color=red"
        let request = Request.plain(.register, form + "&metadata={\(numbers)}")
        let registration = try #require(try read(request).registration)
        #expect(registration.content.metadataSize.entries == 513)
        #expect(refusal(message(content: registration.content.packed)) == nil)
    }
}

extension InstanceContent {
    fileprivate init?(packing addresses: Int) {
        self.init(
            region: [], version: [], addrs: (0..<addresses).map { Array("http://\($0):1".utf8) },
            metadata: [])
    }
}
