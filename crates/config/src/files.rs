//! The files read in one load.

use crate::Span;

/// Which of the loaded files a position is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FileId(pub u32);

/// Every file read in one load. A file that is included twice is here twice, because its
/// two readings were brought by different includes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    files: Vec<File>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    path: String,
    text: String,
    included_from: Option<Span>,
}

impl Files {
    /// Adds a file and returns its number.
    pub(crate) fn add(
        &mut self,
        path: impl Into<String>,
        text: impl Into<String>,
        included_from: Option<Span>,
    ) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(File {
            path: path.into(),
            text: text.into(),
            included_from,
        });
        id
    }

    /// The path as it was asked for, or `""` for a number that is not of this load.
    pub fn path(&self, id: FileId) -> &str {
        self.get(id).map_or("", |file| &file.path)
    }

    /// The text, or `""` for a number that is not of this load.
    pub fn text(&self, id: FileId) -> &str {
        self.get(id).map_or("", |file| &file.text)
    }

    /// The `include` that brought the file; `None` for the first one.
    pub fn included_from(&self, id: FileId) -> Option<&Span> {
        self.get(id)?.included_from.as_ref()
    }

    /// All files in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &str, &str)> {
        self.files.iter().enumerate().map(|(index, file)| {
            (
                FileId(u32::try_from(index).unwrap_or(u32::MAX)),
                file.path.as_str(),
                file.text.as_str(),
            )
        })
    }

    /// How many files were read.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn get(&self, id: FileId) -> Option<&File> {
        self.files.get(id.0 as usize)
    }
}
