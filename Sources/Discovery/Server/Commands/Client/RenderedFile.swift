internal import DiscoveryWire
import Glibc

/// A file made of a template and the instances of apps, replaced as a whole and only when its text
/// is another. What did not work is tried again.
struct RenderedFile {
    private let template: Template
    private let path: String
    private let command: String?
    private let zone: String?
    private let scheme: String
    private let isRaw: Bool
    private let pauseMilliseconds: UInt32
    /// The text may have to be another one.
    private var isDue = true
    /// At the start too: who ran before may have been stopped between the file and the command.
    private var isCommandDue: Bool
    private var hasReplaced = false
    /// What was told, so that it is told once; and what this time.
    private var told: Set<String> = []
    private var telling: Set<String> = []

    private static let usualPause = 500

    /// Nil if the command is to print instead.
    init?(_ watch: WatchCommand, _ zone: String?) throws(CommandFailure) {
        guard let source = watch.template, let output = watch.output else { return nil }
        do throws(TextFileError) {
            template = try Template(
                TextFile.read(source, bytesMax: Template.bytesMax), apps: watch.apps)
        } catch {
            throw .broken("\(source): cannot be read: \(error)")
        }
        if let problem = template.problem { throw .broken("\(source): \(problem)") }
        path = try RenderedFile.target(output)
        command = watch.exec
        self.zone = zone
        scheme = watch.scheme ?? "http"
        isRaw = watch.raw
        pauseMilliseconds = UInt32(watch.pause ?? RenderedFile.usualPause)
        isCommandDue = watch.exec != nil
    }

    /// As many links as a system follows in a row, or fewer.
    private static let linksMax = 8

    /// Behind a link, which stays one, whether there is a file at its end or not yet. Only a file
    /// is replaced.
    private static func target(_ output: String) throws(CommandFailure) -> String {
        var path = output
        for _ in 0..<linksMax {
            var found = stat()
            guard unsafe lstat(path, &found) == 0 else { return path }
            switch found.st_mode & S_IFMT {
            case S_IFREG: return path
            case S_IFLNK:
                let next = try link(path)
                let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[...$0] } ?? ""
                path = next.hasPrefix("/") ? next : folder + next
            default: throw .broken("\(output): it is no regular file")
            }
        }
        throw .broken("\(output): it is a link to a link, and so on")
    }

    /// What a link says.
    private static func link(_ path: String) throws(CommandFailure) -> String {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(path, &bytes, bytes.count)
        guard count > 0 else { throw .broken("\(path): \(TextFileError.lastOfSystem)") }
        return String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    mutating func noteNews() { isDue = true }

    /// Does what is due. Whether something is still, and may work soon.
    mutating func advance(_ follower: AppFollower) -> Bool {
        let wasDue = isDue
        hasReplaced = false
        telling = []
        if isDue { isDue = !render(follower) }
        let mayRun = !isDue && isCommandDue && (hasReplaced || isThere)
        if mayRun, let command {
            let status = ChildProgram.shell(command)
            isCommandDue = status != 0
            if isCommandDue {
                tell("\(command): ended with \(status); it is run again soon")
            } else {
                // If it fails another time that is news.
                told = told.filter { !$0.hasPrefix(command) }
            }
        }
        if hasReplaced { usleep(pauseMilliseconds * 1000) }
        // What was not looked at again this time has been told.
        told = wasDue ? telling : told.union(telling)
        return isDue || (mayRun && isCommandDue)
    }

    private var isThere: Bool { unsafe access(path, F_OK) == 0 }

    /// Whether the file says what it has to.
    private mutating func render(_ follower: AppFollower) -> Bool {
        let unknown = follower.apps.filter { $0.data == .null }.map(\.name)
        if !unknown.isEmpty {
            tell("\(path): waits for instances of \(unknown.joined(separator: ", "))")
            return false
        }
        for app in follower.apps where app.isGone {
            tell("\(path): keeps the last instances of \(app.name), which has none any more")
        }
        var rows: [String: [Template.Row]] = [:]
        for app in follower.apps {
            rows[app.name] = CallerView.rows(app.data, zone: zone).compactMap {
                Template.Row(app: app.name, $0.instance, weight: $0.weight, scheme: scheme)
            }
        }
        let filled = template.filled(rows, isRaw: isRaw)
        if !filled.leftOut.isEmpty {
            tell("\(path): left out: \(filled.leftOut.joined(separator: "; "))")
        }
        if !filled.emptyApps.isEmpty {
            let apps = filled.emptyApps.joined(separator: ", ")
            tell("\(path): stays as it is: no \(scheme) address of \(apps)")
            return true
        }
        if holds(filled.text) { return true }
        guard replace(filled.text) else { return false }
        isCommandDue = command != nil
        hasReplaced = true
        return true
    }

    private mutating func tell(_ sentence: String) {
        telling.insert(sentence)
        if told.contains(sentence) { return }
        StandardStream.error.write(line: Message.shown(sentence))
    }

    private func holds(_ text: String) -> Bool {
        do throws(TextFileError) {
            return try TextFile.read(path, bytesMax: .max) == text
        } catch {
            // It is not there yet, or will be complained of when it is written.
            return false
        }
    }

    /// By renaming: whoever reads sees the one or the other. Owner and mode stay.
    private mutating func replace(_ text: String) -> Bool {
        let path = self.path
        let failure = Termination.undisturbed { RenderedFile.replace(path, text) }
        if let failure { tell("\(path): cannot be written: \(failure)") }
        return failure == nil
    }

    /// Nil when it is done.
    private static func replace(_ path: String, _ text: String) -> TextFileError? {
        let aside = "\(path).\(UInt64.random(in: .min ... .max)).tmp"
        let file = unsafe open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { return .lastOfSystem }
        defer { close(file) }
        var before = stat()
        if unsafe stat(path, &before) == 0 {
            fchown(file, before.st_uid, before.st_gid)
            fchmod(file, before.st_mode & 0o7777)
        }
        if write(text, to: file), unsafe rename(aside, path) == 0 { return nil }
        let failure = TextFileError.lastOfSystem
        unsafe unlink(aside)
        return failure
    }

    private static func write(_ text: String, to file: Int32) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.write(file, bytes.baseAddress, bytes.count)
            }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return fsync(file) == 0
    }
}
