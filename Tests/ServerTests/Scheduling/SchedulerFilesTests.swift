import DiscoveryCore
import DiscoveryWire
import Foundation
import Testing

@testable import Discovery

/// The scheduler folder as it is edited, one look after the other.
@Suite struct SchedulerFilesTests {
    private final class Desk {
        let folder: TemporaryFolder
        var files: SchedulerFiles

        init() throws {
            folder = try TemporaryFolder()
            files = SchedulerFiles(folder: folder.path, shape: .object)
        }

        func write(_ name: String, _ text: String) throws { try folder.write(name, text) }

        func remove(_ name: String) throws { try folder.remove(name) }

        /// What a look finds: changes as `appid weight`, or `appid -`; then what is told.
        func look() -> (changes: [String], news: [SchedulerFiles.News]) {
            let (changes, news) = files.look()
            let shown = changes.map { change in
                let app = String(
                    decoding: change.app.packed[change.app.appid.range], as: UTF8.self)
                let weight = change.schedule?.rules.first?.shares.first?.weight
                return "\(app) \(weight.map { "\($0)" } ?? "-")"
            }
            return (shown, news)
        }

        var inEffect: [String] {
            files.inEffect.values.map(\.name).sorted()
        }
    }

    private func schedule(_ app: String, weight: Int) -> String {
        #"{"app_id":"\#(app)","env":"dev","clients":{"sh001":{"zones":{"sh002":{"weight":"#
            + #"\#(weight)}}}}}"#
    }

    private func wrong(
        _ news: [SchedulerFiles.News]
    ) -> [String] {
        news.compactMap { news in
            guard case .wrong(let path, let problem, let keeps) = news else { return nil }
            let name = path.split(separator: "/").last ?? ""
            return "\(name): \(problem)\(keeps ? " (kept)" : "")"
        }
    }

    @Test func `files are taken when they come, when they change, and dropped when they go`()
        throws
    {
        let desk = try Desk()
        #expect(desk.look() == ([], []))
        try desk.write("one.json", schedule("a", weight: 1))
        try desk.write("two.json", schedule("b", weight: 2))
        #expect(desk.look().changes == ["a 1", "b 2"])
        #expect(desk.look() == ([], []))
        try desk.write("two.json", schedule("b", weight: 3))
        #expect(desk.look().changes == ["b 3"])
        try desk.remove("one.json")
        #expect(desk.look().changes == ["a -"])
        #expect(desk.inEffect == ["two.json"] && desk.files.problemCount == 0)
    }

    @Test func `other files, hidden ones and folders are left alone`() throws {
        let desk = try Desk()
        try desk.write("readme.txt", "{")
        try desk.write(".one.json", "{")
        #expect(desk.look() == ([], []))
        try FileManager.default.createDirectory(
            at: desk.folder.url.appendingPathComponent("x.json"), withIntermediateDirectories: true)
        #expect(
            wrong(desk.look().news) == ["x.json: cannot be read: it is no regular file"])
        #expect(wrong(desk.look().news) == [])
    }

    @Test func `a file that is changed into nonsense keeps what it said, and is told of once`()
        throws
    {
        let desk = try Desk()
        try desk.write("one.json", schedule("a", weight: 1))
        _ = desk.look()
        try desk.write("one.json", "{")
        let found = desk.look()
        #expect(found.changes == [])
        #expect(wrong(found.news) == ["one.json: the file is not valid JSON: { (kept)"])
        #expect(desk.look() == ([], []))
        #expect(desk.inEffect == ["one.json"] && desk.files.problemCount == 1)
        try desk.write("one.json", schedule("a", weight: 2))
        #expect(desk.look().changes == ["a 2"])
        #expect(desk.files.problemCount == 0)
    }

    @Test func `a file that was never right is told of, and takes nothing`() throws {
        let desk = try Desk()
        try desk.write("one.json", #"{"app_id":"a"}"#)
        let found = desk.look()
        #expect(found.changes == [] && desk.inEffect == [])
        #expect(wrong(found.news).first?.hasPrefix("one.json: env: found nothing") == true)
    }

    @Test func `of two files for one application the first by name counts`() throws {
        let desk = try Desk()
        try desk.write("b.json", schedule("a", weight: 2))
        #expect(desk.look().changes == ["a 2"])
        try desk.write("a.json", schedule("a", weight: 1))
        let found = desk.look()
        #expect(found.changes == ["a 1"])
        #expect(
            wrong(found.news)
                == ["b.json: is for the same app_id and env as a.json, which counts"])
        try desk.remove("a.json")
        #expect(desk.look().changes == ["a 2"])
        #expect(desk.files.problemCount == 0)
    }

    @Test func `a folder that is gone drops nothing, and is read again when it is back`() throws {
        let desk = try Desk()
        try desk.write("one.json", schedule("a", weight: 1))
        _ = desk.look()
        let aside = desk.folder.url.appendingPathExtension("aside")
        try FileManager.default.moveItem(at: desk.folder.url, to: aside)
        let found = desk.look()
        #expect(found.changes == [] && desk.files.problemCount == 1)
        #expect(
            found.news == [
                .wrong(
                    path: desk.folder.path, problem: "cannot be read: No such file or directory",
                    keeps: true)
            ])
        #expect(desk.look() == ([], []))
        try FileManager.default.moveItem(at: aside, to: desk.folder.url)
        #expect(desk.look() == ([], []))
        #expect(desk.files.problemCount == 0)
    }

    @Test func `a file that is too long is refused before it is read`() throws {
        let desk = try Desk()
        try desk.write("one.json", String(repeating: " ", count: 65_537))
        #expect(
            wrong(desk.look().news)
                == ["one.json: cannot be read: it is longer than 65536 bytes"])
    }

    @Test func `an application may move to another file without a gap`() throws {
        let desk = try Desk()
        try desk.write("one.json", schedule("a", weight: 1))
        _ = desk.look()
        try FileManager.default.moveItem(
            atPath: desk.folder.path(of: "one.json"), toPath: desk.folder.path(of: "x.json"))
        #expect(desk.look().changes == [])
        #expect(desk.inEffect == ["x.json"])
    }
}

private func == (
    left: (changes: [String], news: [SchedulerFiles.News]),
    right: ([String], [SchedulerFiles.News])
) -> Bool {
    left.changes == right.0 && left.news == right.1
}
