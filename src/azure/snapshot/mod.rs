//! A snapshot: a folder of exports, or one of them → named tables, resources, and the settings beside
//! them.
//!
//! Each file is recognised by content, never by its name; only `nexthop.toml` at the folder's root
//! goes by name. What is not recognised is listed with the reason, and what is recognised and
//! broken is an error with its place: a table that is silently missing would turn into wrong
//! labels.

mod files;
mod firewall_subnets;
mod naming;
mod recognise;
mod tags;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use self::files::{FoundFile, OpenFile};
use self::recognise::Recognised;
use super::effective_routes::{ExportFormat, RouteFileError};
use super::file_name::stem;
use super::resources::{ResourceFileError, ResourceReader, Resources};
use super::settings::{Settings, SettingsError, TableSource};
use super::{EffectiveRoute, ServiceTags};
pub use tags::ServiceTagFileError;

/// The file of a snapshot's settings, at the folder's root.
pub const SETTINGS_FILE: &str = "nexthop.toml";

/// What a snapshot folder holds.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The exported tables, in the order of their files. No two have one name.
    pub tables: Vec<ExportedTable>,
    /// The resources that decide routes, with what `nexthop.toml` says of sites.
    pub resources: Resources,
    /// The prefixes of service tags: those of `nexthop.toml`, else of Microsoft's file.
    pub service_tags: ServiceTags,
    /// What `nexthop.toml` says.
    pub settings: Settings,
    /// The files that were not used, or not wholly, in order.
    pub ignored: Vec<IgnoredFile>,
    /// What was noticed and is no error.
    pub warnings: Vec<SnapshotWarning>,
    /// True where the path names an export itself: its table is then meant for every source.
    pub is_single_file: bool,
}

/// The exported effective routes of one NIC.
#[derive(Clone, Debug)]
pub struct ExportedTable {
    /// The file, relative to the folder with `/` between names; a single file as it was given.
    pub file: String,
    /// The name that `nexthop.toml` gives it, else the file's stem. An export names no NIC.
    pub name: String,
    /// How the file is written.
    pub format: ExportFormat,
    /// The rows, in the file's order, with service tags resolved where their prefixes are known.
    pub routes: Vec<EffectiveRoute>,
    /// True where rows or prefixes were left out of the export.
    pub is_elided: bool,
    /// Which sources use the table, by its `[[table]]`.
    pub sources: Vec<TableSource>,
}

/// A file of the folder that was not used, or that holds resources which are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredFile {
    /// Relative to the folder.
    pub file: String,
    /// Why, as a phrase for people.
    pub reason: String,
}

/// What was noticed in a file and is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotWarning {
    /// Relative to the folder.
    pub file: String,
    /// What it is, for people.
    pub message: String,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Nothing is at the path.
    #[error("{path}: no such file or folder", path = path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// A file or folder cannot be read.
    #[error("{path}: cannot be read", path = path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file that is held in memory while it is read, and is too large for that.
    #[error(
        "{path}: {length_bytes} bytes, and {} are the most that is read",
        FILE_BYTES_MAX,
        path = path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        length_bytes: u64,
    },
    /// A file holds effective routes and is broken.
    #[error("{path}", path = path.display())]
    Routes {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<RouteFileError>,
    },
    /// A file holds resources and is broken.
    #[error("{path}", path = path.display())]
    Resources {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: ResourceFileError,
    },
    /// `nexthop.toml` is broken.
    #[error("{path}", path = path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: SettingsError,
    },
    /// A service tag file is broken.
    #[error("{path}", path = path.display())]
    ServiceTags {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: ServiceTagFileError,
    },
    /// Two tables have one name, compared without case.
    #[error(
        "two tables are named `{name}`: {first_file} and {second_file}; name one of them in a \
         [[table]] of nexthop.toml"
    )]
    DuplicateName {
        /// The name.
        name: String,
        /// The first file.
        first_file: String,
        /// The second file.
        second_file: String,
    },
    /// A `[[table]]` of `nexthop.toml` means no table of the folder.
    #[error("nexthop.toml: no table is `{wanted}`; there are: {}", candidates.join(", "))]
    NoSuchTable {
        /// The setting's file or name.
        wanted: String,
        /// The files of all tables.
        candidates: Vec<String>,
    },
    /// A `[[table]]` of `nexthop.toml` means several tables of the folder.
    #[error("nexthop.toml: `{wanted}` is more than one table: {}", candidates.join(", "))]
    AmbiguousTable {
        /// The setting's file or name.
        wanted: String,
        /// The files that it means.
        candidates: Vec<String>,
    },
    /// A `[[firewall]]` of `nexthop.toml` names a subnet that no export holds.
    #[error(
        "nexthop.toml: no export holds the firewall's subnet `{wanted}`; write VNET/SUBNET, or its \
         address prefix"
    )]
    NoSuchFirewallSubnet {
        /// The setting's subnet.
        wanted: String,
    },
    /// A `[[firewall]]` of `nexthop.toml` names several subnets at once.
    #[error(
        "nexthop.toml: several subnets are the firewall's `{wanted}`; write GROUP/VNET/SUBNET, or the \
         whole identifier"
    )]
    AmbiguousFirewallSubnet {
        /// The setting's subnet.
        wanted: String,
    },
    /// Two `[[table]]` of `nexthop.toml` mean one table.
    #[error("nexthop.toml: two [[table]] are for {file}")]
    TableSetTwice {
        /// The table's file.
        file: String,
    },
    /// Nothing that was found is a table, nor a resource that decides one.
    #[error("{path}: no effective route table{}", listed(ignored), path = path.display())]
    NoTable {
        /// The path.
        path: PathBuf,
        /// What was found instead.
        ignored: Vec<IgnoredFile>,
    },
}

/// The longest file that is read. A table of a million rows has a tenth of it.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Reads a snapshot: a folder and what is below it, or one export.
///
/// Hidden files are passed over, links are followed, and a folder is read once however many lead to
/// it. The result does not depend on the order in which the system lists files.
///
/// Cost: every file that is not told by its beginning (captures, logs, images) is read whole; one
/// at a time is held.
///
/// # Errors
///
/// [`SnapshotError`] for a path that cannot be read, an export or a `nexthop.toml` that is broken,
/// tables that cannot be told apart, and a folder without any table or resource.
///
/// # Examples
///
/// ```
/// use nexthop::azure::load_snapshot;
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("README.md"), "Taken on Friday.")?;
/// std::fs::write(
///     folder.path().join("vm1-nic.routes.txt"),
///     "Source  State  Address Prefix  Next Hop Type  Next Hop IP\n\
///      Default Active 10.1.0.0/16 VnetLocal\n",
/// )?;
/// let snapshot = load_snapshot(folder.path())?;
/// assert_eq!(snapshot.tables[0].name, "vm1-nic");
/// assert_eq!(snapshot.ignored[0].file, "README.md");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load_snapshot(path: &Path) -> Result<Snapshot, SnapshotError> {
    let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => SnapshotError::NotFound { path: path.to_owned() },
        _ => SnapshotError::Io { path: path.to_owned(), source },
    })?;
    if metadata.is_dir() { load_folder(path) } else { load_file(path) }
}

fn load_folder(folder: &Path) -> Result<Snapshot, SnapshotError> {
    let mut loading = Loading::default();
    for file in files::files_of(folder)? {
        if file.shown == SETTINGS_FILE {
            loading.settings = read_settings(&file.path)?;
        } else {
            loading.read(file)?;
        }
    }
    loading.finish(folder, false)
}

fn load_file(path: &Path) -> Result<Snapshot, SnapshotError> {
    let mut loading = Loading::default();
    loading.read(FoundFile {
        path: path.to_owned(),
        shown: path.to_string_lossy().into_owned(),
        is_regular: true,
    })?;
    loading.finish(path, true)
}

fn read_settings(path: &Path) -> Result<Settings, SnapshotError> {
    let bytes = OpenFile::open(path, 0)?.whole()?;
    let text = super::encoding::decoded(&bytes).map_err(|error| SnapshotError::Io {
        path: path.to_owned(),
        source: std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            format!("byte {}: not {}", error.offset, error.encoding),
        ),
    })?;
    Settings::parse(&text)
        .map_err(|source| SnapshotError::Settings { path: path.to_owned(), source })
}

/// What was read so far.
#[derive(Default)]
struct Loading {
    tables: Vec<tags::UnresolvedTable>,
    resources: ResourceReader,
    tag_file: Option<tags::TagFile>,
    settings: Settings,
    ignored: Vec<IgnoredFile>,
    warnings: Vec<SnapshotWarning>,
}

impl Loading {
    fn read(&mut self, file: FoundFile) -> Result<(), SnapshotError> {
        match recognise::recognise(&file, &mut self.resources)? {
            Recognised::Ignored(reason) => self.ignore(file.shown, reason),
            Recognised::Resources { ignored: None } => {}
            Recognised::Resources { ignored: Some(reason) } => self.ignore(file.shown, reason),
            Recognised::ServiceTags(tag_file) => self.take_tag_file(tag_file),
            Recognised::EffectiveRoutes(export) => {
                for message in export.warnings {
                    self.warnings.push(SnapshotWarning { file: file.shown.clone(), message });
                }
                self.tables.push(tags::UnresolvedTable {
                    table: ExportedTable {
                        name: stem(&file.shown).to_owned(),
                        file: file.shown,
                        format: export.format,
                        routes: export.routes,
                        is_elided: export.is_elided,
                        sources: Vec::new(),
                    },
                    own_tags: export.service_tags,
                });
            }
        }
        Ok(())
    }

    /// Keeps the newest of several service tag files.
    fn take_tag_file(&mut self, found: tags::TagFile) {
        let older = match self.tag_file.take() {
            Some(earlier) if earlier.change_number >= found.change_number => {
                self.tag_file = Some(earlier);
                Some(found)
            }
            earlier => {
                self.tag_file = Some(found);
                earlier
            }
        };
        if let Some(older) = older {
            self.ignore(older.file, "a service tag file, and another is newer".to_owned());
        }
    }

    fn ignore(&mut self, file: String, reason: String) {
        self.ignored.push(IgnoredFile { file, reason });
    }

    fn finish(mut self, path: &Path, is_single_file: bool) -> Result<Snapshot, SnapshotError> {
        self.ignored.sort_by(|a, b| a.file.cmp(&b.file));
        if self.tables.is_empty() && self.resources.is_empty() {
            return Err(SnapshotError::NoTable { path: path.to_owned(), ignored: self.ignored });
        }
        let tag_file = self.tag_file.take().map(|file| file.tags).unwrap_or_default();
        let given = tags::given_tags(&self.settings);
        let mut tables = Vec::with_capacity(self.tables.len());
        for mut unresolved in std::mem::take(&mut self.tables) {
            let lookup = [&given, &unresolved.own_tags, &tag_file];
            tags::resolve(&mut unresolved.table, lookup, &mut self.warnings);
            tables.push(unresolved.table);
        }
        naming::apply_settings(&mut tables, &self.settings.tables)?;
        let resources = self.take_resources();
        firewall_subnets::resolve(&mut self.settings.firewalls, &resources)?;
        let mut service_tags = given;
        service_tags.add_unknown(tag_file);
        let Self { settings, ignored, warnings, .. } = self;
        Ok(Snapshot {
            tables,
            resources,
            service_tags,
            settings,
            ignored,
            warnings,
            is_single_file,
        })
    }

    /// Puts the resources together; a `[[site]]` goes before what any export tells of the site.
    fn take_resources(&mut self) -> Resources {
        let (mut resources, warnings) = std::mem::take(&mut self.resources).finish();
        self.warnings.extend(
            warnings
                .into_iter()
                .map(|warning| SnapshotWarning { file: warning.file, message: warning.message }),
        );
        for setting in &self.settings.sites {
            let mut is_known = false;
            for site in &mut resources.sites {
                if site.header.name.eq_ignore_ascii_case(&setting.name) {
                    site.route_all = Some(setting.route_all);
                    is_known = true;
                }
            }
            if !is_known {
                self.warnings.push(SnapshotWarning {
                    file: SETTINGS_FILE.to_owned(),
                    message: format!("no export holds the site `{}`", setting.name),
                });
            }
        }
        resources
    }
}

/// Names the first files that were ignored, for an error message.
fn listed(ignored: &[IgnoredFile]) -> String {
    const LISTED_MAX: usize = 10;
    if ignored.is_empty() {
        return ": there is no file".to_owned();
    }
    let mut text = "; found".to_owned();
    for (index, IgnoredFile { file, reason }) in ignored.iter().take(LISTED_MAX).enumerate() {
        let separator = if index == 0 { " " } else { ", " };
        text.push_str(&format!("{separator}{file} ({reason})"));
    }
    if ignored.len() > LISTED_MAX {
        text.push_str(&format!(", and {} more", ignored.len() - LISTED_MAX));
    }
    text
}
