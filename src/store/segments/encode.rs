//! Columns become a Parquet file.
//!
//! A request's texts are numbered already, so a text column's dictionary is made by looking once at each text that
//! the request's rows name, not at every row; that is most of what a general writer spends its time on. Pages,
//! levels and dictionaries are written here, by the format's own rules; page headers, metadata and the columns of
//! integers are the `parquet` crate's.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::Int64Type;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::dictionary::Gathered;
use super::levels::{hybrid, repeated};
use crate::decode::columns::Maps;
use crate::decode::texts::{NONE, Texts};

/// Rows of a page: what a reader that wants one row has to decompress.
const PAGE_ROWS: usize = 8192;
/// One of zstd's fast levels: compaction compresses for good.
const LEVEL: i32 = -3;

/// The compression that the metadata names.
pub fn compression() -> Result<Compression> {
    // What a reader needs to know is the codec; the format has no negative levels to name.
    Ok(Compression::ZSTD(ZstdLevel::default()))
}

/// What every chunk of a file works with.
pub struct Workbench {
    zstd: zstd::bulk::Compressor<'static>,
    /// Room for a page, for what it compresses to, and for a column, used again: fresh memory has to be cleared by the
    /// system.
    page: Vec<u8>,
    packed: Vec<u8>,
    sink: Vec<u8>,
}

impl Workbench {
    /// An empty one.
    pub fn new() -> Result<Workbench> {
        let zstd =
            zstd::bulk::Compressor::new(LEVEL).map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Workbench { zstd, page: Vec::new(), packed: Vec::new(), sink: Vec::new() })
    }

    fn compress(&mut self, body: &[u8]) -> Result<Bytes> {
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(body.len()));
        let done = self.zstd.compress_to_buffer(body, &mut self.packed);
        done.map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Bytes::copy_from_slice(&self.packed))
    }
}

/// One column chunk in the making.
pub struct Chunk<'b> {
    column: ColumnDescPtr,
    sink: TrackedWrite<Vec<u8>>,
    bench: &'b mut Workbench,
    pages: OffsetIndexBuilder,
    /// None once a page has no ends: an index is of all pages or of none.
    index: Option<ColumnIndexBuilder>,
    dictionary: Option<u64>,
    first_data: Option<u64>,
    rows: usize,
    values: usize,
    uncompressed: usize,
    encodings: Vec<Encoding>,
    bloom: Option<Sbbf>,
}

impl<'b> Chunk<'b> {
    /// Nothing yet of this column.
    pub fn new(column: ColumnDescPtr, bench: &'b mut Workbench) -> Chunk<'b> {
        let index = Some(ColumnIndexBuilder::new(column.physical_type()));
        let sink = TrackedWrite::new(std::mem::take(&mut bench.sink));
        Chunk {
            column,
            sink,
            bench,
            pages: OffsetIndexBuilder::new(),
            index,
            dictionary: None,
            first_data: None,
            rows: 0,
            values: 0,
            uncompressed: 0,
            encodings: vec![Encoding::RLE],
            bloom: None,
        }
    }

    /// Writes ids of a fixed width, plain; `bloom` makes a filter of them.
    pub fn ids<const N: usize>(mut self, ids: &[&[[u8; N]]], bloom: bool) -> Result<Chunk<'b>> {
        let all: Vec<[u8; N]> = ids.concat();
        if bloom {
            let mut filter = Sbbf::new_with_ndv_fpp(all.len().max(1) as u64, 0.01)?;
            all.iter().for_each(|id| filter.insert(&id[..]));
            self.bloom = Some(filter);
        }
        for page in all.chunks(PAGE_ROWS) {
            let ends =
                page.iter().min().zip(page.iter().max()).map(|(least, most)| (least.to_vec(), most.to_vec()));
            self.data_page(page.as_flattened(), page.len(), page.len(), Encoding::PLAIN, ends)?;
        }
        Ok(self)
    }

    /// Writes small numbers by a dictionary.
    pub fn smalls(mut self, numbers: &[&[u8]]) -> Result<Chunk<'b>> {
        let all: Vec<u8> = numbers.concat();
        let mut places = [NONE; 256];
        let mut dictionary = Vec::new();
        let mut indexes = Vec::with_capacity(all.len());
        for number in &all {
            let place = &mut places[usize::from(*number)];
            if *place == NONE {
                *place = (dictionary.len() / 4) as u32;
                dictionary.extend_from_slice(&i32::from(*number).to_le_bytes());
            }
            indexes.push(*place);
        }
        let entries = dictionary.len() / 4;
        self.dictionary_page(&dictionary, entries)?;
        for (page, raw) in indexes.chunks(PAGE_ROWS).zip(all.chunks(PAGE_ROWS)) {
            let ends = raw.iter().min().zip(raw.iter().max());
            let ends = ends.map(|(least, most)| {
                (i32::from(*least).to_le_bytes().into(), i32::from(*most).to_le_bytes().into())
            });
            let mut body = self.body();
            indexed(&mut body, page, entries);
            self.data_page(&body, page.len(), page.len(), Encoding::RLE_DICTIONARY, ends)?;
            self.bench.page = body;
        }
        Ok(self)
    }

    /// Writes one text a row.
    pub fn texts<'c>(
        self,
        columns: impl Iterator<Item = (&'c Texts, &'c [u32])> + Clone,
    ) -> Result<Chunk<'b>> {
        let mut gathered = Gathered::expecting(columns.clone().map(|(_, numbers)| numbers.len()).sum());
        for (texts, numbers) in columns.clone() {
            gathered.add(texts, numbers.iter().copied());
            if gathered.is_hopeless() {
                let rows = columns.flat_map(|(texts, all)| all.chunks(1).map(move |row| (texts, row)));
                return self.plain(rows, |number| *number, false);
            }
        }
        let rows: Vec<usize> = (1..=gathered.indexes.len()).collect();
        self.gathered(&gathered, &rows, false)
    }

    /// Writes the keys or the values of one map a row: `of` takes from an entry what is written.
    pub fn maps<'c>(
        self,
        columns: &[(&'c Texts, &'c Maps, Option<&'c [u32]>)],
        of: impl Fn(&(u32, u32)) -> u32 + Copy,
    ) -> Result<Chunk<'b>> {
        let rows = |(texts, maps, places): (&'c Texts, &'c Maps, Option<&'c [u32]>)| {
            let place = move |row| places.map_or(row, |places| places[row] as usize);
            let count = places.map_or(maps.len(), <[u32]>::len);
            (0..count).map(move |row| (texts, maps.get(place(row))))
        };
        let values = |(_, maps, places): &(_, &Maps, Option<&[u32]>)| match places {
            Some(places) => places.len() * maps.entries.len() / maps.len().max(1),
            None => maps.entries.len(),
        };
        let expected = columns.iter().map(values).sum();
        let (mut gathered, mut ends) = (Gathered::expecting(expected), Vec::new());
        for column in columns.iter().copied() {
            gathered.begin(column.0);
            for (texts, row) in rows(column) {
                gathered.take(texts, row.iter().map(of));
                ends.push(gathered.indexes.len());
            }
            if gathered.is_hopeless() {
                return self.plain(columns.iter().copied().flat_map(rows), of, true);
            }
        }
        self.gathered(&gathered, &ends, true)
    }

    /// Writes texts whole: of each row its values, of each value the number that `of` takes from it.
    fn plain<'c, V: 'c>(
        mut self,
        mut rows: impl Iterator<Item = (&'c Texts, &'c [V])> + Clone,
        of: impl Fn(&V) -> u32,
        is_repeated: bool,
    ) -> Result<Chunk<'b>> {
        loop {
            let page = rows.clone().take(PAGE_ROWS);
            let count = |end: &mut usize, (_, values): (_, &[V])| {
                *end += values.len();
                Some(*end)
            };
            let ends: Vec<usize> = page.clone().scan(0, count).collect();
            if ends.is_empty() {
                return Ok(self);
            }
            let mut body = self.body();
            let levels = if is_repeated { repeated(0, &ends, &mut body) } else { ends.len() };
            for (texts, values) in page {
                values.iter().for_each(|value| plain_text(&mut body, texts.raw(of(value))));
            }
            self.data_page(&body, levels, ends.len(), Encoding::PLAIN, None)?;
            self.bench.page = body;
            if ends.len() < PAGE_ROWS || rows.nth(PAGE_ROWS - 1).is_none() {
                return Ok(self);
            }
        }
    }

    /// `rows` = for each row the number of values up to its end. A row of a repeated column may have none.
    fn gathered(mut self, all: &Gathered<'_>, rows: &[usize], is_repeated: bool) -> Result<Chunk<'b>> {
        let entries = all.dictionary.len();
        let plain = all.is_worthless();
        if !plain {
            let bytes = all.dictionary.iter().map(|text| text.len() + 4).sum();
            let mut dictionary = Vec::with_capacity(bytes);
            all.dictionary.iter().for_each(|text| plain_text(&mut dictionary, text));
            self.dictionary_page(&dictionary, entries)?;
        }
        let mut from = 0;
        for page in rows.chunks(PAGE_ROWS) {
            let to = page.last().copied().unwrap_or(from);
            let values = all.indexes.get(from..to).unwrap_or(&[]);
            let ends = if is_repeated || plain { None } else { all.ends(values) };
            let mut body = self.body();
            let levels = if is_repeated { repeated(from, page, &mut body) } else { page.len() };
            let encoding = if plain {
                for index in values {
                    plain_text(&mut body, all.dictionary.get(*index as usize).copied().unwrap_or(&[]));
                }
                Encoding::PLAIN
            } else {
                indexed(&mut body, values, entries);
                Encoding::RLE_DICTIONARY
            };
            self.data_page(&body, levels, page.len(), encoding, ends)?;
            self.bench.page = body;
            from = to;
        }
        Ok(self)
    }

    /// Room for a page; put it back.
    fn body(&mut self) -> Vec<u8> {
        let mut body = std::mem::take(&mut self.bench.page);
        body.clear();
        body
    }

    fn dictionary_page(&mut self, body: &[u8], entries: usize) -> Result<()> {
        let (plain, packed) = (body.len(), self.bench.compress(body)?);
        let page = Page::DictionaryPage {
            buf: packed,
            num_values: entries as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let written =
            SerializedPageWriter::new(&mut self.sink).write_page(CompressedPage::new(page, plain))?;
        self.dictionary = Some(written.offset);
        self.uncompressed += written.uncompressed_size;
        self.encodings.push(Encoding::PLAIN);
        Ok(())
    }

    /// `levels` = values and the rows that have none.
    fn data_page(
        &mut self,
        body: &[u8],
        levels: usize,
        rows: usize,
        encoding: Encoding,
        ends: Ends,
    ) -> Result<()> {
        let (plain, packed) = (body.len(), self.bench.compress(body)?);
        let page = Page::DataPage {
            buf: packed,
            num_values: levels as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let written =
            SerializedPageWriter::new(&mut self.sink).write_page(CompressedPage::new(page, plain))?;
        self.first_data.get_or_insert(written.offset);
        self.pages.append_row_count(rows as i64);
        self.pages.append_offset_and_size(written.offset as i64, written.compressed_size as i32);
        match (&mut self.index, ends) {
            (Some(index), Some((least, most))) => index.append(false, least, most, 0, None),
            (index, _) => *index = None,
        }
        self.rows += rows;
        self.values += levels;
        self.uncompressed += written.uncompressed_size;
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        Ok(())
    }

    /// Adds the chunk to a row group, of which it must be the next column.
    pub fn append_to<W: std::io::Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        let bytes = Bytes::from(self.sink.into_inner()?);
        let metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(compression()?)
            .set_encodings(self.encodings)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.values as i64)
            .set_data_page_offset(self.first_data.unwrap_or(0) as i64)
            .set_dictionary_page_offset(self.dictionary.map(|offset| offset as i64))
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.rows as u64,
            metadata,
            bloom_filter: self.bloom,
            column_index: self.index.map(ColumnIndexBuilder::build).transpose()?,
            offset_index: Some(self.pages.build()),
        };
        group.append_column(&bytes, close)?;
        if let Ok(bytes) = bytes.try_into_mut() {
            self.bench.sink = Vec::from(bytes);
            self.bench.sink.clear();
        }
        Ok(())
    }
}

/// Least and greatest value of a page, in the format's plain bytes.
pub type Ends = Option<(Vec<u8>, Vec<u8>)>;

/// Places in a dictionary of so many entries.
fn indexed(into: &mut Vec<u8>, places: &[u32], entries: usize) {
    let width = (usize::BITS - entries.saturating_sub(1).leading_zeros()) as u8;
    into.push(width);
    hybrid(places, width, into);
}

fn plain_text(into: &mut Vec<u8>, text: &[u8]) {
    into.extend_from_slice(&(text.len() as u32).to_le_bytes());
    into.extend_from_slice(text);
}

/// Writes the next column of a group: unix nanoseconds.
pub fn times<'c, W: std::io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    columns: impl Iterator<Item = &'c [i64]>,
) -> Result<()> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("there is no further column".into()));
    };
    for times in columns {
        column.typed::<Int64Type>().write_batch(times, None, None)?;
    }
    column.close()
}
