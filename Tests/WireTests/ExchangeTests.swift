import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// The bytes of what nodes of our kind say to each other. They are a protocol: nodes of two
/// versions of this program meet while a cluster is upgraded.
@Suite struct ExchangeTests {
    static let key = "03646576 0161 017a 0168"
    static let app = "03646576 0161"
    static let content = "01 000172 000176 0001 000178 0001 000161 000162"

    static func hex(_ pieces: String...) -> [UInt8] {
        let digits = pieces.joined().filter { $0 != " " }
        return stride(from: 0, to: digits.count, by: 2).compactMap { place in
            UInt8(digits.dropFirst(place).prefix(2), radix: 16)
        }
    }

    static func int(_ value: Int64) -> String {
        let digits = String(UInt64(bitPattern: value), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    static func written(_ exchange: Exchange) -> [UInt8] {
        var out: [UInt8] = []
        ExchangeWriter.append(exchange, to: &out)
        return out
    }

    static func written(_ reply: ExchangeReply) -> [UInt8] {
        var out: [UInt8] = []
        ExchangeWriter.append(reply, to: &out)
        return out
    }

    private static func instanceKey() throws -> InstanceKey {
        InstanceKey(packed: hex(key))
    }

    private static func held() throws -> Record {
        let content = try #require(
            InstanceContent(
                region: bytes("r"), version: bytes("v"), addrs: [bytes("x")],
                metadata: [entry("a", "b")]))
        let registered = Record.Registered(
            content: content, status: .waiting, registered: 1, up: 2, latest: 4, silence: 3)
        return Record(key: try instanceKey(), version: 7, state: .registered(registered))
    }

    private static func gone() throws -> Record {
        Record(key: try instanceKey(), version: -1, state: .cancelled(age: 9))
    }

    private static let heldBytes =
        key + int(7) + "02" + int(1) + int(2) + int(4) + int(3) + "00000014"
        + content
    private static let goneBytes = key + int(-1) + "00" + int(9)

    // MARK: Golden bytes

    @Test func `questions have these bytes`() throws {
        var changes = Changes(isSameZone: true)
        changes.bytes = bytes("--") + Self.hex(Self.key)
        changes.renewals = [
            Changes.Renewed(
                key: ByteRange(start: 2, count: 10), version: 5, silence: 2 * Duration.millisecond)
        ]
        changes.records = try [Self.held(), Self.gone()]
        let entries = Entries(
            instanceLeaves: [3], appLeaves: [4],
            instances: [Entries.Entry(key: try Self.instanceKey(), version: 5, digest: 6)],
            apps: [AppStamp(app: AppKey(packed: Self.hex(Self.app)), latest: 8, content: 9)])
        let fingerprint = Fingerprint(instances: 1, apps: 2, rows: 256, leavesPerRow: 16)
        let table: [(Exchange, [UInt8])] = [
            (
                .changes(changes),
                Self.hex(
                    "01 01 01 00000001", Self.key, Self.int(5), "00000002 00000002",
                    Self.heldBytes, Self.goneBytes)
            ),
            (.pull(leaf: 0x0102_0304), Self.hex("01 02 01020304")),
            (.compare(fingerprint), Self.hex("01 03", Self.int(1), Self.int(2), "0100 0010")),
            (
                .leaves(instances: [1, 255], apps: [256]),
                Self.hex("01 04 00000002 0001 00ff 00000001 0100")
            ),
            (
                .entries(entries),
                Self.hex(
                    "01 05 00000001 00000003 00000001 00000004 00000001", Self.key, Self.int(5),
                    Self.int(6), "00000001", Self.app, Self.int(8), Self.int(9))
            ),
        ]
        for (exchange, expected) in table {
            #expect(Self.written(exchange) == expected)
            #expect(Self.written(try ExchangeReader.exchange(expected.span)) == expected)
        }
    }

    @Test func `answers have these bytes`() throws {
        let stamp = AppStamp(
            app: AppKey(packed: Self.hex(Self.app)), latest: 8, content: 9)
        let stamps = "00000001" + Self.app + Self.int(8) + Self.int(9)
        let page = Page(
            records: [try Self.held()], stamps: [stamp], next: 5, isProtected: true)
        let lastPage = Page(records: [], stamps: [], next: nil, isProtected: false)
        let differences = Differences(
            wanted: [try Self.instanceKey()], records: [try Self.gone()], stamps: [stamp],
            isPartial: true)
        let table: [(ExchangeReply, [UInt8])] = [
            (
                .changes(wanted: [2], newer: [try Self.held()]),
                Self.hex("01 81 00000001 00000002 00000001", Self.heldBytes)
            ),
            (
                .page(page),
                Self.hex("01 82 01 01 00000005 00000001", Self.heldBytes, stamps)
            ),
            (.page(lastPage), Self.hex("01 82 00 00 00000000 00000000")),
            (.same(isProtected: true), Self.hex("01 83 01")),
            (
                .rows(instances: [1], apps: [], isProtected: false),
                Self.hex("01 84 00 00000001", Self.int(1), "00000000")
            ),
            (
                .leaves(instances: [], apps: [1]),
                Self.hex("01 85 00000000 00000001", Self.int(1))
            ),
            (
                .entries(differences),
                Self.hex(
                    "01 86 01 00000001", Self.key, "00000001", Self.goneBytes, stamps)
            ),
        ]
        for (reply, expected) in table {
            #expect(Self.written(reply) == expected)
            #expect(try ExchangeReader.reply(expected.span) == reply)
            var out: [UInt8] = []
            AnswerWriter.append(.exchanged(reply), to: &out)
            #expect(out == expected)
        }
    }

    // MARK: Round trips

    @Test func `random exchanges come back as they were`() throws {
        FuzzTests.tellSeed()
        var values = RandomValues(seed: FuzzTests.seed)
        for _ in 0..<2_000 {
            let exchange = values.exchange()
            #expect(try ExchangeReader.exchange(Self.written(exchange).span) == exchange)
            let reply = values.reply()
            #expect(try ExchangeReader.reply(Self.written(reply).span) == reply)
        }
    }

    @Test func `an exchange is read from a request, whatever its type and query`() throws {
        var reader = RequestReader()
        var batch = Batch()
        let body = Self.written(.pull(leaf: 3))
        for type in ["multipart/form-data", "application/json", "application/octet-stream"] {
            batch.removeAll()
            let outcome = try reader.read(
                route: .exchange, id: RequestID(9), query: bytes("a=b&zone=%zz").span,
                body: body.span, contentType: bytes(type).span, holdHeader: nil, into: &batch)
            #expect(outcome.shape == .byZone)
            guard case .exchanged(RequestID(9), .pull(leaf: 3)) = batch.inputs.last else {
                Issue.record("not read: \(batch.inputs)")
                continue
            }
        }
        var request = Request(.exchange)
        request.body = Self.hex("02 02 00000000")
        #expect(refusal(request)?.contains("version 2") == true)
    }

    @Test func `renewals are rounded up to milliseconds, so that no lease is lengthened`() throws {
        let table: [(Int64, Int64)] = [
            (0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (-5, 0),
            (.max, 4_294_967_295),
        ]
        for (silence, milliseconds) in table {
            var changes = Changes(isSameZone: false)
            changes.bytes = Self.hex(Self.key)
            changes.renewals = [
                Changes.Renewed(
                    key: ByteRange(start: 0, count: 10), version: 1, silence: silence)
            ]
            let read = try ExchangeReader.exchange(Self.written(.changes(changes)).span)
            changes.renewals[0].silence = milliseconds * Duration.millisecond
            #expect(read == .changes(changes))
        }
    }

    @Test func `a thousand renewals are read into two arrays`() throws {
        var changes = Changes(isSameZone: true)
        for index in 0..<1_000 {
            let key = try #require(
                InstanceKey(
                    env: bytes("dev"), appid: bytes("a.b"), zone: bytes("z"),
                    hostname: bytes("h\(index)")))
            let range = ByteRange(start: changes.bytes.count, count: key.packed.count)
            changes.bytes += key.packed
            changes.renewals.append(Changes.Renewed(key: range, version: 1, silence: 0))
        }
        guard
            case .changes(let read) = try ExchangeReader.exchange(
                Self.written(.changes(changes)).span)
        else {
            Issue.record("not read as changes")
            return
        }
        #expect(read == changes)
        // Room is made once, and not for more than came.
        #expect(read.bytes.capacity < 65 * 1_000 && read.renewals.capacity < 1_100)
    }
}
