import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

@Suite struct RegistryWriterTests {
    private func rows() throws -> [RegistryView.Row] {
        [
            try Sample(env: "dev", appid: "a", hostname: "h1").row(),
            try Sample(env: "prod", appid: "a", hostname: "h1").row(),
            try Sample(env: "dev", appid: "b", hostname: "h1").row(),
            try Sample(env: "dev", appid: "b", hostname: "h2").row(),
        ]
    }

    @Test func `an empty registry is an empty map`() {
        #expect(
            answerText(.fetchedAll(RegistryView(rows: [])))
                == #"{"code":0,"message":"0","ttl":1,"data":{}}"#)
    }

    @Test func `instances of all envs lie under their appid`() throws {
        let rows = try rows()
        func json(_ index: Int) -> String {
            let whole = answerText(.renewed(rows[index].instance, renewed: rows[index].renewed))
            return String(
                whole.dropFirst(#"{"code":0,"message":"0","ttl":1,"data":"#.count).dropLast())
        }
        #expect(
            answerText(.fetchedAll(RegistryView(rows: rows)))
                == #"{"code":0,"message":"0","ttl":1,"data":{"a":[\#(json(0)),\#(json(1))],"#
                + #""b":[\#(json(2)),\#(json(3))]}}"#)
    }

    @Test(arguments: [1, 100, 500, 1_000_000])
    func `pieces of any size make the same whole`(pieceBytes: Int) throws {
        let view = RegistryView(rows: try rows())
        var writer = RegistryWriter(view)
        var whole: [UInt8] = []
        var pieces = 0
        var isLast = false
        while !isLast {
            var piece: [UInt8] = []
            isLast = writer.append(to: &piece, pieceBytes: pieceBytes)
            whole += piece
            pieces += 1
        }
        #expect(text(whole) == answerText(.fetchedAll(view)))
        #expect(pieces == (pieceBytes == 1 ? 4 : pieceBytes < 1000 ? pieces : 1))
        var rest: [UInt8] = []
        let isEnded = writer.append(to: &rest)
        #expect(isEnded && rest.isEmpty)
    }
}
