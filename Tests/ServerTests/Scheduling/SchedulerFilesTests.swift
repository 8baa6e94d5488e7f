import DiscoveryCore
import DiscoveryWire
import Foundation
import Logging
import Testing

@testable import Discovery

/// The scheduler folder as it is edited, one look after the other.
@Suite struct SchedulerFilesTests {
    private final class Desk {
        let folder: TemporaryFolder
        var files: SchedulerFiles

        init(filesMax: Int = 100) throws {
            folder = try TemporaryFolder()
            files = SchedulerFiles(folder: folder.path, shape: .object, filesMax: filesMax)
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
        #expect(desk.look() == ([], []))
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
        #expect(desk.look() == ([], []))
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

    @Test func `a file that is too long is refused, once`() throws {
        let desk = try Desk()
        try desk.write("one.json", String(repeating: " ", count: 65_537))
        #expect(
            wrong(desk.look().news)
                == ["one.json: cannot be read: it is longer than 65536 bytes"])
        for _ in 0..<3 { #expect(desk.look() == ([], [])) }
        try desk.write("one.json", schedule("a", weight: 1))
        #expect(desk.look().changes == ["a 1"])
    }

    @Test func `a file that is gone for a moment keeps what it said`() throws {
        let desk = try Desk()
        try desk.write("one.json", schedule("a", weight: 1))
        _ = desk.look()
        for weight in 2..<5 {
            try desk.remove("one.json")
            #expect(desk.look() == ([], []))
            #expect(desk.inEffect == ["one.json"])
            // And if it is only half written when it is back.
            try desk.write("one.json", "{")
            #expect(wrong(desk.look().news).first?.hasSuffix(" (kept)") == true)
            try desk.write("one.json", schedule("a", weight: weight))
            #expect(desk.look().changes == ["a \(weight)"])
        }
    }

    @Test func `a second change in the same instant is seen`() throws {
        let desk = try Desk()
        let path = desk.folder.path(of: "one.json")
        try desk.write("one.json", schedule("a", weight: 1))
        func stamp(_ path: String) throws -> Date? {
            try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
        }
        /// In place, with the same length.
        func change(_ weight: Int) throws {
            let file = try #require(FileHandle(forWritingAtPath: path))
            try file.write(contentsOf: Data(schedule("a", weight: weight).utf8))
            try file.close()
        }
        for weight in [2, 4, 6, 8] {
            // The clock of files has moved on since the round before.
            let before = try stamp(path)
            let hasMoved = try eventually {
                try desk.write("scratch", "")
                return try stamp(desk.folder.path(of: "scratch")) != before
            }
            #expect(hasMoved)
            try change(weight)
            _ = desk.look()
            try change(weight + 1)
            _ = desk.look()
        }
        #expect(desk.files.inEffect.values.first?.schedule?.rules.first?.shares.first?.weight == 9)
    }

    /// As Kubernetes changes a config map: files are links through a link to a folder.
    @Test func `a folder of links is taken when its link is swapped`() throws {
        let desk = try Desk()
        let manager = FileManager.default
        func link(_ name: String, to target: String) throws {
            let path = desk.folder.path(of: name)
            try manager.createSymbolicLink(atPath: path + "~", withDestinationPath: target)
            let code = unsafe rename(path + "~", path)
            #expect(code == 0)
        }
        for version in 1...2 {
            let folder = desk.folder.url.appendingPathComponent("v\(version)")
            try manager.createDirectory(at: folder, withIntermediateDirectories: true)
            try desk.write("v\(version)/one.json", schedule("a", weight: version))
        }
        try link("data", to: "v1")
        try link("one.json", to: "data/one.json")
        #expect(desk.look().changes == ["a 1"])
        try link("data", to: "v2")
        #expect(desk.look().changes == ["a 2"])
        // A link to nothing is a file that cannot be read.
        try link("data", to: "v3")
        let found = desk.look()
        #expect(found.changes == [])
        #expect(
            wrong(found.news)
                == ["one.json: cannot be read: No such file or directory (kept)"])
    }

    @Test func `a file may be made one for another application, and two may change places`() throws
    {
        let desk = try Desk()
        try desk.write("one.json", schedule("a", weight: 1))
        _ = desk.look()
        try desk.write("one.json", schedule("b", weight: 2))
        #expect(desk.look().changes == ["b 2", "a -"])
        try desk.write("two.json", schedule("c", weight: 3))
        _ = desk.look()
        try desk.write("one.json", schedule("c", weight: 3))
        try desk.write("two.json", schedule("b", weight: 2))
        #expect(desk.look() == ([], []))
        #expect(desk.inEffect == ["one.json", "two.json"])
    }

    @Test func `the digest tells nodes with other schedules apart, not other file names`() throws {
        let (one, two) = (try Desk(), try Desk())
        for (desk, names) in [(one, ["a", "b"]), (two, ["y", "x"])] {
            try desk.write("\(names[0]).json", schedule("a", weight: 1))
            try desk.write("\(names[1]).json", schedule("b", weight: 2))
            _ = desk.look()
        }
        #expect(one.files.digest == two.files.digest && one.files.digest != 0)
        try two.write("x.json", schedule("b", weight: 3))
        _ = two.look()
        #expect(one.files.digest != two.files.digest)
    }

    @Test func `an application may move to another file without a gap`() throws {
        let desk = try Desk()
        try desk.write("one.json", schedule("a", weight: 1))
        _ = desk.look()
        try FileManager.default.moveItem(
            atPath: desk.folder.path(of: "one.json"), toPath: desk.folder.path(of: "x.json"))
        #expect(desk.look() == ([], []))
        #expect(desk.look() == ([], []))
        #expect(desk.inEffect == ["x.json"])
    }

    @Test func `too many files take no place from those that are known`() throws {
        let desk = try Desk(filesMax: 8)
        try desk.write("m.json", schedule("m", weight: 1))
        #expect(desk.look().changes == ["m 1"])
        for number in 1...8 {
            try desk.write("a\(number).json", schedule("a\(number)", weight: 1))
        }
        let found = desk.look()
        #expect(found.changes == (1...7).map { "a\($0) 1" })
        #expect(
            found.news.first
                == .wrong(
                    path: desk.folder.path, problem: "it has more than 8 files; not read: 1",
                    keeps: true))
        #expect(desk.inEffect.contains("m.json") && desk.files.problemCount == 1)
        #expect(desk.look() == ([], []))
        // Nor from one that is gone for a moment.
        try desk.remove("m.json")
        #expect(desk.look().changes == [])
        try desk.write("m.json", schedule("m", weight: 1))
        #expect(desk.look().changes == [])
        try desk.remove("m.json")
        #expect(desk.look().changes == [])
        #expect(desk.look().changes == ["a8 1", "m -"])
        #expect(desk.files.problemCount == 0)
    }

    @Test func `files of a full folder may get other names without a gap, or a complaint`() throws {
        let desk = try Desk(filesMax: 8)
        for number in 1...8 {
            try desk.write("a\(number).json", schedule("app\(number)", weight: 1))
        }
        #expect(desk.look().changes.count == 8)
        for number in 1...5 {
            try FileManager.default.moveItem(
                atPath: desk.folder.path(of: "a\(number).json"),
                toPath: desk.folder.path(of: "b\(number).json"))
        }
        for _ in 0..<3 { #expect(desk.look() == ([], [])) }
        #expect(
            desk.inEffect == ["a6", "a7", "a8", "b1", "b2", "b3", "b4", "b5"].map { $0 + ".json" })
    }
}

private func == (
    left: (changes: [String], news: [SchedulerFiles.News]),
    right: ([String], [SchedulerFiles.News])
) -> Bool {
    left.changes == right.0 && left.news == right.1
}

/// The queue that looks again and again.
@Suite struct SchedulerWatchTests {
    @Test func `what is looked at after the end is not taken`() throws {
        let folder = try TemporaryFolder()
        try folder.write("one.json", #"{"app_id":"a","env":"dev","clients":{}}"#)
        var settings = SchedulerSettings()
        settings.folder = folder.path
        let watch = SchedulerWatch(settings: settings, logger: Logger(label: "test"))
        watch.stop()
        watch.start { _ in Issue.record("taken") }
        #expect(watch.figures.schedules == 1 && watch.figures.digest != 0)
    }
}
