import Foundation
import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// Answers read back by another JSON reader hold what went into them.
@Suite struct RoundTripTests {
    private struct Read: Decodable, Equatable {
        var region: String
        var zone: String
        var env: String
        var appid: String
        var hostname: String
        var addrs: [String]
        var version: String
        var metadata: [String: String]
        var status: Int
        var reg_timestamp: Int64
        var up_timestamp: Int64
        var renew_timestamp: Int64
        var dirty_timestamp: Int64
        var latest_timestamp: Int64
    }

    private struct Renewed: Decodable {
        var code: Int
        var data: Read
    }

    private struct App: Decodable {
        var instances: [String: [Read]]
        var latest_timestamp: Int64
    }

    private struct Polled: Decodable {
        var code: Int
        var data: [String: App]
        var error: [String: [String]?]
        var message: String
    }

    private static let nasty = [
        "", "a", "\"", "\\", "\\u0041", "\n", "\u{0}", "\u{1F}", "<script>", "&amp;", "\u{2028}",
        "\u{2029}", "é", "你好", "😀", "\u{FFFD}", "\u{FEFF}", "\u{7F}", "\u{80}", "%41", "+", "/",
        String(repeating: "<", count: 200), String(repeating: "😀", count: 60),
    ]

    private func nastyString(_ random: inout SplitMix64, bytesMax: Int) -> String {
        var value = ""
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let piece = Self.nasty.randomElement(using: &random) ?? ""
            if value.utf8.count + piece.utf8.count <= bytesMax { value += piece }
        }
        return value
    }

    private func sample(_ random: inout SplitMix64) -> Sample {
        var sample = Sample()
        sample.env = nastyString(&random, bytesMax: 255)
        sample.appid = nastyString(&random, bytesMax: 255)
        sample.zone = nastyString(&random, bytesMax: 255)
        sample.hostname = nastyString(&random, bytesMax: 255)
        sample.region = nastyString(&random, bytesMax: 1024)
        sample.version = nastyString(&random, bytesMax: 1024)
        sample.addrs = (0..<Int.random(in: 0...4, using: &random)).map { _ in
            nastyString(&random, bytesMax: 1024)
        }
        sample.metadata = (0..<Int.random(in: 0...4, using: &random)).map { index in
            (
                "\(index)" + nastyString(&random, bytesMax: 1024),
                nastyString(&random, bytesMax: 1024)
            )
        }
        sample.status = Bool.random(using: &random) ? .up : .waiting
        sample.stamp = Int64.random(in: .min ... .max, using: &random)
        return sample
    }

    private func read(_ sample: Sample) -> Read {
        Read(
            region: sample.region, zone: sample.zone, env: sample.env, appid: sample.appid,
            hostname: sample.hostname, addrs: sample.addrs, version: sample.version,
            metadata: Dictionary(sample.metadata) { $1 }, status: Int(sample.status.rawValue),
            reg_timestamp: sample.stamp, up_timestamp: sample.stamp, renew_timestamp: sample.stamp,
            dirty_timestamp: sample.stamp, latest_timestamp: sample.stamp)
    }

    private func body(_ answer: Answer, _ shape: InstancesShape = .byZone) -> Data {
        var out: [UInt8] = []
        AnswerWriter.append(answer, shape: shape, to: &out)
        return Data(out)
    }

    @Test func `random instances come back as they were`() throws {
        var random = SplitMix64(seed: 42)
        for _ in 0..<500 {
            let sample = sample(&random)
            let answer = Answer.renewed(try sample.instance(), renewed: sample.stamp)
            let renewed = try JSONDecoder().decode(Renewed.self, from: body(answer))
            #expect(renewed.code == 0)
            #expect(renewed.data == read(sample))
        }
    }

    @Test func `random views come back as they were, in every composition`() throws {
        var random = SplitMix64(seed: 43)
        for _ in 0..<100 {
            let samples = (0..<4).map { _ in sample(&random) }
            let zones = try [
                ("z1<", [samples[0].row(), samples[1].row()]), ("z2\u{2028}", [samples[2].row()]),
                ("empty", []),
            ]
            let one = try view("one\"", latest: 1, zones: zones)
            let two = try view("two", latest: 2, zones: [("z", [try samples[3].row()])])
            let missing = [try appKey("dev", "\u{1}"), try appKey("dev", "x")]
            let answer = body(.polledMany([two, one], missing: missing))
            let polled = try JSONDecoder().decode(Polled.self, from: answer)
            #expect(polled.data["one\""]?.instances["z1<"] == samples[0...1].map(read))
            #expect(polled.data["one\""]?.instances["z2\u{2028}"] == [read(samples[2])])
            #expect(polled.data["one\""]?.instances["empty"] == [])
            #expect(polled.data["two"]?.instances["z"] == [read(samples[3])])
            #expect(polled.data["one\""]?.latest_timestamp == 1)
            #expect(polled.error == ["-404": ["\u{1}", "x"]])
            #expect(polled.message == "0")
            let fetched = body(.fetchedMany([one, two]), .array)
            let array = try JSONSerialization.jsonObject(with: fetched) as? [String: Any]
            let data = array?["data"] as? [String: Any]
            let app = data?["one\""] as? [String: Any]
            #expect((app?["instances"] as? [Any])?.count == 3)
            #expect((app?["zone_instances"] as? [String: Any])?.count == 3)
        }
    }

    @Test func `a random registry comes back whole`() throws {
        struct All: Decodable { var data: [String: [Read]] }
        var random = SplitMix64(seed: 44)
        for count in [0, 1, 2, 50] {
            let samples = (0..<count).map { _ in sample(&random) }
                .sorted { bytes($0.appid).precedes(bytes($1.appid)) }
            let view = RegistryView(rows: try samples.map { try $0.row() })
            let all = try JSONDecoder().decode(All.self, from: body(.fetchedAll(view)))
            #expect(all.data == Dictionary(grouping: samples.map(read), by: \.appid))
        }
    }
}
