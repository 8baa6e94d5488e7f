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
    /// What was told last, so that it is told once.
    private var complaint = ""

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
        scheme = watch.scheme
        isRaw = watch.raw
        pauseMilliseconds = UInt32(watch.pause)
        isCommandDue = watch.exec != nil
    }

    /// Behind a link, which stays one. Only a file is replaced, or what is not there yet.
    private static func target(_ output: String) throws(CommandFailure) -> String {
        var found = stat()
        guard unsafe stat(output, &found) == 0 else { return output }
        guard found.st_mode & S_IFMT == S_IFREG, let real = unsafe realpath(output, nil) else {
            throw .broken("\(output): it is no regular file")
        }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    mutating func noteNews() { isDue = true }

    /// Does what is due. Whether something is still, and may work soon.
    mutating func advance(_ follower: AppFollower, _ caller: NodeCaller) -> Bool {
        let wasDue = isDue
        hasReplaced = false
        if isDue { isDue = !render(follower, caller) }
        defer { if hasReplaced { usleep(pauseMilliseconds * 1000) } }
        if wasDue, !isDue, !isCommandDue { complaint = "" }
        if !isDue, isCommandDue, let command {
            let status = ChildProgram.shell(command)
            isCommandDue = status != 0
            if isCommandDue { tell("\(command): ended with \(status); it is run again soon") }
        }
        return isDue || isCommandDue
    }

    /// Whether the file says what it has to.
    private mutating func render(_ follower: AppFollower, _ caller: NodeCaller) -> Bool {
        let unknown = follower.apps.filter { $0.data == .null }.map(\.name)
        if !unknown.isEmpty {
            tell("\(path): waits for instances of \(unknown.joined(separator: ", "))")
            return false
        }
        var rows: [String: [Template.Row]] = [:]
        for app in follower.apps {
            guard let found = instances(app.name, app.data, caller, follower.env) else {
                return false
            }
            rows[app.name] = found.compactMap { Template.Row(app: app.name, $0, scheme: scheme) }
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
        if sentence == complaint { return }
        complaint = sentence
        StandardStream.error.write(line: Message.shown(sentence))
    }

    /// With the final weights for the caller's zone, where the node calculates them. Nil: not now.
    private mutating func instances(
        _ app: String, _ data: JSONTree, _ caller: NodeCaller, _ env: String
    ) -> [JSONTree]? {
        let all = data["instances"].members.flatMap(\.value.items)
        guard let zone else { return all }
        do throws(CommandFailure) {
            let answer = try caller.get(
                .balance, [("env", env), ("appid", app), ("zone", zone)]
            ).checked("")
            let found = answer.data["instances"].items
            // Nothing there takes nothing away.
            return found.isEmpty ? all : found
        } catch .refused(code: 404, _), .nothing {
            // A node of the reference does not know the question; and of an app that is gone the
            // last list stays.
            return all
        } catch {
            tell("\(path): stays as it is for now: balance of \(app): \(error)")
            return nil
        }
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
        let aside = "\(path).\(UInt64.random(in: .min ... .max)).tmp"
        let file = unsafe open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { return complain() }
        var before = stat()
        if unsafe stat(path, &before) == 0 {
            fchown(file, before.st_uid, before.st_gid)
            fchmod(file, before.st_mode & 0o7777)
        }
        if RenderedFile.write(text, to: file), unsafe rename(aside, path) == 0 {
            close(file)
            return true
        }
        _ = complain()
        close(file)
        unsafe unlink(aside)
        return false
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

    private mutating func complain() -> Bool {
        tell("\(path): cannot be written: \(TextFileError.lastOfSystem)")
        return false
    }
}
