/* The tables behind spec.h; included by spec.c alone. Keep the help of a field to one line: it is shown by
 * --help, after its unit, limits and default. */

#define LIMITS(low, high) .least = (low), .most = (high)

static const struct spec_field MOCK_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true, .help = "directory of the survey to make"},
    {"seed", SPEC_INT, "1", LIMITS(0, 9e15), .help = "every number drawn is a function of it"},
    {"bricks", SPEC_INT, "12", LIMITS(1, 1e6), .help = "number of bricks"},
    {"size", SPEC_INT, "1024", LIMITS(128, 20000), .unit = "px", .help = "side of a brick"},
    {"pixscale", SPEC_REAL, "0.262", LIMITS(0.01, 10), .unit = "arcsec/px", .help = "pixel scale"},
    {"galaxies", SPEC_REAL, "14", LIMITS(0, 1000), .unit = "per arcmin^2", .help = "density of galaxies"},
    {"stars", SPEC_REAL, "2", LIMITS(0, 1000), .unit = "per arcmin^2", .help = "density of stars"},
    {"seeing_g", SPEC_REAL, "1.30", LIMITS(0.3, 5), .unit = "arcsec", .help = "median PSF FWHM in g"},
    {"seeing_r", SPEC_REAL, "1.20", LIMITS(0.3, 5), .unit = "arcsec", .help = "median PSF FWHM in r"},
    {"seeing_z", SPEC_REAL, "1.10", LIMITS(0.3, 5), .unit = "arcsec", .help = "median PSF FWHM in z"},
    {"depth_g", SPEC_REAL, "24.9", LIMITS(15, 35), .unit = "mag",
     .help = "median 5-sigma point-source depth in g"},
    {"depth_r", SPEC_REAL, "24.3", LIMITS(15, 35), .unit = "mag",
     .help = "median 5-sigma point-source depth in r"},
    {"depth_z", SPEC_REAL, "23.4", LIMITS(15, 35), .unit = "mag",
     .help = "median 5-sigma point-source depth in z"},
    {"depth_scatter", SPEC_REAL, "0.1", LIMITS(0, 1), .unit = "mag",
     .help = "scatter of the depth from brick to brick"},
    {"seeing_scatter", SPEC_REAL, "0.05", LIMITS(0, 1),
     .help = "relative scatter of the seeing from brick to brick"},
    {"gain", SPEC_REAL, "10000", LIMITS(0.01, 1e9), .unit = "photons/nmgy",
     .help = "photons a nanomaggy, for the shot noise of sources"},
    {"brick_time", SPEC_SPAN, "1h", LIMITS(1, 1e7), .unit = "s",
     .help = "a brick that takes longer is ended and the job fails"},
};

static const struct spec_field INJECT_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true, .help = "directory of the simulation, in obiwan's layout"},
    {"survey", SPEC_INPUT, .required = true, .help = "survey whose bricks receive the fakes"},
    {"prior", SPEC_INPUT,
     .help = "CSV or FITS table of g, r, z (mag), rhalf (half-light radius, arcsec), optionally n, ba, pa; "
             "without it the mock's own population"},
    {"seed", SPEC_INT, "1", LIMITS(0, 9e15), .help = "every number drawn is a function of it"},
    {"per_brick", SPEC_INT, "0", LIMITS(0, 1e6),
     .help = "fakes a brick and realisation; 0: as many as min_separation lets in, at most"},
    {"realisations", SPEC_INT, "1", LIMITS(1, 1000),
     .help = "realisations of each brick, with other fakes each (rs0, rs<n>, ...)"},
    {"min_separation", SPEC_REAL, "50", LIMITS(0, 30000), .unit = "px",
     .help = "least distance of two fakes along x or y, so that none is in another's stamp"},
    {"gain", SPEC_REAL, "10000", LIMITS(0.01, 1e9), .unit = "photons/nmgy",
     .help = "photons a nanomaggy, for the shot noise of the fakes"},
    {"psf_scale", SPEC_REAL, "1", LIMITS(0.1, 10), .help = "spoil: factor on the fakes' PSF FWHM"},
    {"flux_scale", SPEC_REAL, "1", LIMITS(0.01, 100),
     .help = "spoil: factor on the fakes' flux, not on their catalogue's"},
    {"size_scale", SPEC_REAL, "1", LIMITS(0.01, 100),
     .help = "spoil: factor on the fakes' half-light radius"},
    {"shift_px", SPEC_REAL, "0", LIMITS(-16, 16), .unit = "px",
     .help = "spoil: the light of fakes lies this far in x and y from where the catalogues say"},
    {"no_noise", SPEC_BOOL, "false", .help = "spoil: leave out the fakes' shot noise"},
    {"invvar_dip", SPEC_REAL, "0", LIMITS(0, 1),
     .help = "spoil: relative loss of invvar at the peak of a fake"},
    {"max_bad", SPEC_REAL, "0.5", LIMITS(0, 1),
     .help =
         "fraction of the bricks that may be put aside in quarantine.json; with more, or all, the job fails, "
         "its finished bricks kept"},
    {"brick_time", SPEC_SPAN, "1h", LIMITS(1, 1e7), .unit = "s",
     .help = "a brick that takes longer is ended and put aside in quarantine.json"},
};

static const struct spec_field CUTOUTS_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true,
     .help = "directory of the cutout files, <out>/<class>/<AAA>/<brick>.h5"},
    {"survey", SPEC_INPUT, .required = true, .help = "survey for class real; names the bricks"},
    {"simulation", SPEC_INPUT, .help = "output of obiwan, legacysim or inject, for class fake"},
    {"class", SPEC_CHOICE, "both", .choices = "both|real|fake", .help = "which classes to cut"},
    {"cuts", SPEC_PRESET, "elg", .choices = "cuts",
     .help = "selection on measured quantities, for both classes"},
    {"select", SPEC_CHOICE, "matched", .choices = "matched|injected", .help = "fakes: those found in their run's catalogue, by the cuts; or all that were injected, at their true places (leaks)"},
    {"catalogue", SPEC_INPUT, .help = "directory of your own BRICK.fits (id, and ra, dec or x, y from 0): stamps at these places, without cuts, of --class real or fake"},
    {"match", SPEC_REAL, "1", LIMITS(0.01, 60), .unit = "arcsec",
     .help = "a fake counts as found within this distance of a catalogue row of its run"},
    {"stamp", SPEC_INT, "64", LIMITS(8, 512), .unit = "px", .help = "side of a stamp; even"},
    {"edge", SPEC_CHOICE, "skip", .choices = "skip|pad", .help = "stamps that leave the image: left out, as of the original's training set, or padded with 0, invvar 0, and marked by column `edge`"},
    {"dtype", SPEC_CHOICE, "float32", .choices = "float32|float16", .help = "of the pixels; float16 takes half the disk and rounds each to 1 in 2048"},
    {"bands", SPEC_TEXT, "grz", .help = "bands in channel order"},
    {"bricks", SPEC_INPUT, .help = "text file with a brick name a line; without it all of the survey's"},
    {"max_bad", SPEC_REAL, "0.5", LIMITS(0, 1),
     .help =
         "fraction of the bricks that may be put aside in quarantine.json; with more, or all, the job fails, "
         "its finished bricks kept"},
    {"brick_time", SPEC_SPAN, "1h", LIMITS(1, 1e7), .unit = "s",
     .help = "a brick that takes longer is ended and put aside in quarantine.json"},
};

static const struct spec_field SPLIT_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true, .help = "directory of the dataset"},
    {"cutouts", SPEC_INPUT, .help = "output of a cutouts job of both classes"},
    {"real", SPEC_INPUT, .help = "instead, for class real: output of a cutouts job, or a directory with the original's hdf5/<AAA>/<brick>/img_ivar_grz.hdf5"},
    {"fake", SPEC_INPUT, .help = "the same for class fake"},
    {"seed", SPEC_INT, "1", LIMITS(0, 9e15), .help = "parts and order are a function of it"},
    {"by", SPEC_CHOICE, "brick", .choices = "brick|cell|object", .help = "what stays whole: bricks, cells of the sky with a guard between parts, or (it leaks) only objects"},
    {"cell", SPEC_REAL, "0.25", LIMITS(0.01, 45), .unit = "deg", .help = "by cell: side of a cell"},
    {"guard", SPEC_REAL, "0", LIMITS(0, 36000), .unit = "arcsec", .help = "by cell: stamps nearer than this to a cell of another part are left out; 0: half a stamp's diagonal"},
    {"test", SPEC_REAL, "0.2", LIMITS(0, 0.9), .help = "fraction for the test part"},
    {"valid", SPEC_REAL, "0.08", LIMITS(0, 0.9), .help = "fraction for the validation part; 0: none"},
    {"classes", SPEC_CHOICE, "balanced", .choices = "balanced|natural", .help = "balanced: as many reals as fakes of each brick in a part, the surplus left out; natural: all stamps"},
    {"shard", SPEC_INT, "512", LIMITS(1, 1e6), .help = "examples a shard"},
    {"format", SPEC_CHOICE, "npy", .choices = "npy|hdf5", .help = "format of the shards"},
    {"orientation", SPEC_CHOICE, "image", .choices = "image|dplearn", .help = "axes of a stamp: (y, x, channel), or the original's (x, y, channel)"},
    {"buffer", SPEC_INT, "1024", LIMITS(1, 1e9), .unit = "MiB", .help = "memory for stamps a rank; larger sets are shuffled in two passes through <out>"},
};

static const struct spec_field EXPORT_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true, .help = "directory of the exported files: <out>/<class>/..., or <out>/model.<format>"},
    {"model", SPEC_INPUT, .help = "output of a train job, also one under way: its network is exported"},
    {"format", SPEC_CHOICE, .choices = "safetensors|npz|onnx", .help = "of the network: weights by name, or an ONNX file from stamps as cut to P(fake)"},
    {"weights", SPEC_CHOICE, "best", .choices = "best|last", .help = "of the network: best by validation loss (without a validation part the last), or last"},
    {"cutouts", SPEC_INPUT, .help = "instead: output of a cutouts job, whose stamps are exported"},
    {"layout", SPEC_CHOICE, .choices = "dplearn|npy|png|jpeg", .help = "of stamps: obiwan's HDF5 files, an array and a FITS table a brick, or a colour picture a stamp"},
    {"class", SPEC_CHOICE, "both", .choices = "both|real|fake", .help = "which classes to export"},
    {"zoom", SPEC_INT, "1", LIMITS(1, 16), .help = "png and jpeg: side of a stamp's pixel in the picture"},
};

static const struct spec_field GALLERY_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true, .help = "directory of gallery.html, its pictures and gallery.json"},
    {"stamps", SPEC_INPUT, .required = true, .help = "output of a cutouts job or of a split job"},
    {"percentiles", SPEC_TEXT, "1,25,50,75,99", .help = "of magnitude, the brightest first: one picture each"},
    {"examples", SPEC_INT, "4", LIMITS(1, 64), .help = "pairs of a real and a fake stamp a picture"},
};

static const struct spec_field AUDIT_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true, .help = "directory of audit.json and its plots"},
    {"dataset", SPEC_INPUT, .required = true, .help = "output of a split job, or a dataset that the original's split_testtrain wrote"},
    {"sample", SPEC_INT, "1000000", LIMITS(0, 1e10), .unit = "stamps", .help = "measure at most so many, in whole shards evenly spread; 0: all"},
};

static const struct spec_field TRAIN_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true, .help = "directory of the run: ckpts/, logs/, prof/, model"},
    {"dataset", SPEC_INPUT, .required = true, .help = "output of a split job"},
    {"cache", SPEC_OUTPUT, .help = "directory of each host's own, as on its SSD: shards are copied there first, as far as there is room, and read there"},
    {"model", SPEC_PRESET, "lenet-2x2", .choices = "models", .help = "layers of the network"},
    {"epochs", SPEC_INT, "6", LIMITS(1, 100000), .help = "passes over the training part"},
    {"batch", SPEC_INT, "32", LIMITS(1, 65536), .help = "examples a step, over all ranks"},
    {"micro_batch", SPEC_INT, "16", LIMITS(1, 4096),
     .help = "examples a forward pass; gradients are summed over micro-batches in a fixed tree"},
    {"precision", SPEC_CHOICE, "f32", .choices = "f32|bf16|auto",
     .help = "what convolutions multiply: float32, or bfloat16 (needs avx512_bf16) with float32 weights, sums and updates; "
             "auto: bf16 where the processor of every rank has it; a run goes on in what it began with"},
    {"reduce", SPEC_CHOICE, "tree", .choices = "tree|allreduce",
     .help = "how ranks add up gradients: in one fixed tree, the same bits on any number of ranks, or by "
             "MPI_Allreduce"},
    {"rate", SPEC_REAL, "0.002", LIMITS(1e-9, 10), .help = "highest learning rate"},
    {"schedule", SPEC_CHOICE, "onecycle", .choices = "onecycle|constant|step|cosine",
     .help = "learning rate over the run"},
    {"warm_up", SPEC_REAL, LIMITS(0, 1),
     .help = "share of the steps in which the rate rises; without it 0.3 of onecycle, 0 of the others"},
    {"step_epochs", SPEC_INT, "2", LIMITS(1, 100000), .unit = "epochs",
     .help = "schedule step: multiply the rate by step_factor as often"},
    {"step_factor", SPEC_REAL, "0.1", LIMITS(1e-9, 1), .help = "schedule step: factor on the rate"},
    {"optimiser", SPEC_CHOICE, "adam", .choices = "sgd|adam|adamw|lamb",
     .help = "how a gradient changes the weights"},
    {"momentum", SPEC_REAL, "0.9", LIMITS(0, 0.9999), .help = "of sgd"},
    {"weight_decay", SPEC_REAL, "0", LIMITS(0, 10),
     .help = "pull of the weights towards 0: added to the gradient by sgd and adam, apart from it by adamw "
             "and lamb"},
    {"clip_norm", SPEC_REAL, "0", LIMITS(0, 1e9),
     .help = "longer gradients are shortened to this norm; 0: none is"},
    {"label_smoothing", SPEC_REAL, "0", LIMITS(0, 0.9),
     .help = "share of each label that is spread over both classes"},
    {"fake_weight", SPEC_REAL, "1", LIMITS(0, 1e6),
     .help = "weight of a fake's loss, a real one's being 1; 0: what balances the training part"},
    {"patience", SPEC_INT, "0", LIMITS(0, 100000), .unit = "epochs",
     .help = "end after so many epochs without a lower validation loss; 0: never early"},
    {"sees", SPEC_CHOICE, "all", .choices = "all|image|invvar|background",
     .help = "what the network is shown of a stamp, for controls: the image channels alone, the invvar channels "
             "alone, or all channels with the middle hidden"},
    {"sham", SPEC_BOOL, "false",
     .help = "a control: labels are drawn by lot, so that nothing but chance may come out; evaluate draws the same"},
    {"image_scale", SPEC_CHOICE, "asinh", .choices = "asinh|snr|standard|none",
     .help = "image channels: asinh(x/sigma)/2, x/sigma, by mean and deviation, or nanomaggies"},
    {"invvar_scale", SPEC_CHOICE, "relative", .choices = "relative|global|standard|none",
     .help =
         "invvar channels: 4 (v/median of the stamp - 1), over the training median, by mean and deviation, "
         "or as they are"},
    {"augment_symmetries", SPEC_BOOL, "false",
     .help = "turn and mirror training stamps at random; hides what differs by place or direction"},
    {"augment_shift", SPEC_INT, "0", LIMITS(0, 64), .unit = "px",
     .help = "move training stamps by whole pixels up to this at random; what comes in has no data"},
    {"augment_noise", SPEC_REAL, "0", LIMITS(0, 10), .unit = "sigma",
     .help = "add noise to training stamps, their invvar telling so"},
    {"seed", SPEC_INT, "1", LIMITS(0, 9e15), .help = "initial weights and order are a function of it"},
    {"checkpoint_every", SPEC_SPAN, "15m", LIMITS(1, 1e7), .unit = "s",
     .help = "time between checkpoints, besides one an epoch"},
    {"keep", SPEC_INT, "3", LIMITS(1, 1000), .help = "checkpoints to keep besides the best"},
    {"trace_from", SPEC_INT, "10", LIMITS(0, 1e12), .help = "first step of the layer trace in prof/"},
    {"trace_steps", SPEC_INT, "5", LIMITS(0, 1000), .help = "steps to trace; 0: none"},
};

static const struct spec_field CKPT_FIELDS[] = {
    {"action", SPEC_CHOICE, "ls", .choices = "ls|verify",
     .help = "list the checkpoints, or fail when one of them is damaged"},
    {"run", SPEC_INPUT, .required = true, .help = "output of a train job"},
};

static const struct spec_field EVALUATE_FIELDS[] = {
    {"out", SPEC_OUTPUT, .required = true,
     .help = "directory of predictions.h5, verdict.json, report.html and galleries"},
    {"model", SPEC_INPUT, .required = true, .help = "output of a train job"},
    {"dataset", SPEC_INPUT, .required = true, .help = "output of the split job it was trained on"},
    {"audit", SPEC_INPUT, .help = "output of an audit job, for the report"},
    {"image_control", SPEC_INPUT,
     .help = "output of an evaluate job on the same dataset, of a network that saw the image channels alone (train "
             "--sees image), for the report"},
    {"invvar_control", SPEC_INPUT, .help = "likewise of one that saw the invvar channels alone"},
    {"background_control", SPEC_INPUT, .help = "likewise of one from which the middle was hidden"},
    {"sham_control", SPEC_INPUT, .help = "likewise of one whose labels were drawn by lot (train --sham)"},
    {"delta", SPEC_REAL, "0.05", LIMITS(0.0001, 0.5),
     .help = "representative means: AUC below 0.5 + delta at 95 %; declare it before training"},
    {"part", SPEC_CHOICE, "test", .choices = "test|valid|train", .help = "which part to predict"},
    {"examples", SPEC_INT, "4", LIMITS(1, 64),
     .help = "pairs of stamps in the gallery of each brightness percentile"},
    {"pictures", SPEC_BOOL, "true", .help = "galleries and plots; without, report.html has the numbers alone"},
};

static const struct spec_field MODEL_FIELDS[] = {
    {"action", SPEC_CHOICE, "show", .choices = "show",
     .help = "layers, shapes, parameters, operations and memory. Layers of a file: {kind: conv, features, kernel, stride, "
             "padding: same|valid, relu}, {kind: avgpool|maxpool, kernel, stride, padding}, {kind: globalpool}, {kind: "
             "batchnorm, relu}, {kind: dropout, rate}, {kind: relu|gelu|silu}, {kind: dense, features, relu}, {kind: "
             "residual, layers: [...], relu}"},
    {"file", SPEC_PRESET, .required = true, .choices = "models", .help = "a model"},
    {"stamp", SPEC_INT, "0", LIMITS(0, 4096), .unit = "px", .help = "side of a stamp; 0: the file's, else 64"},
    {"channels", SPEC_INT, "0", LIMITS(0, 4096), .help = "of a stamp; 0: the file's, else 6"},
    {"micro_batch", SPEC_INT, "16", LIMITS(1, 4096), .help = "stamps whose memory is told"},
    {"precision", SPEC_CHOICE, "f32", .choices = "f32|bf16", .help = "of a training whose memory is told"},
};

static const struct spec_field JOB_FIELDS[] = {
    {"name", SPEC_TEXT, .help = "a name to tell the job by"},
    {"tag", SPEC_TEXT, .help = "a word to find the job by; several with commas between"},
    {"ranks", SPEC_INT, "1", LIMITS(1, 100000),
     .help = "MPI ranks; of a training by default as many as there are slots and micro-batches in a batch"},
    {"threads", SPEC_INT, "1", LIMITS(1, 1024), .help = "threads a rank; a job takes ranks x threads slots"},
    {"priority", SPEC_INT, "0", LIMITS(-1000000, 1000000), .help = "higher starts first"},
    {"retries", SPEC_INT, "1", LIMITS(0, 1000), .help = "further attempts after a failure"},
    {"backoff", SPEC_SPAN, "1", LIMITS(0, 1e6), .unit = "s",
     .help = "pause before the first retry; doubled for each further one, to at most an hour"},
    {"time_limit", SPEC_SPAN, LIMITS(1, 1e8), .unit = "s",
     .help = "an attempt that runs longer is ended and fails"},
    {"hold", SPEC_BOOL, "false", .help = "do not start before `decoy release`"},
};

static const struct spec_field DAEMON_FIELDS[] = {
    {"slots", SPEC_INT, LIMITS(1, 1000000),
     .help = "threads to keep busy (default: as many as CPUs it may run on)"},
    {"grace", SPEC_SPAN, "10", LIMITS(0.001, 86400), .unit = "s",
     .help = "time that a job has to stop when asked, before it is killed"},
    {"hang_after", SPEC_SPAN, "60", LIMITS(0, 1e6), .unit = "s",
     .help = "an attempt of which a rank has not been heard of for this long has failed (stopped or blocked; computing is heard); 0: none"},
    {"hosts", SPEC_TEXT, .help = "hosts to use and their slots, h1:16,h2:16 (default: those of the Slurm allocation, else this one)"},
    {"launcher", SPEC_CHOICE, "auto", .choices = "auto|mpirun|srun", .help = "what starts the ranks of a job (auto: mpirun where there is one)"},
    {"until", SPEC_TEXT,
     .help = "the end of the allocation: 18:30, 2026-01-31T18:30, +4h or @SECONDS (default: what Slurm says, else none)"},
    {"close_before", SPEC_SPAN, "60", LIMITS(1, 86400), .unit = "s",
     .help = "this long before that end, running jobs save themselves and go back into the queue, and decoyd ends"},
    {"least_run", SPEC_SPAN, "30", LIMITS(0, 86400), .unit = "s",
     .help = "a job is not started with less time than this before the queue closes"},
    {"keep_days", SPEC_REAL, LIMITS(0.001, 36500), .unit = "days",
     .help = "forget jobs, with their logs, this long after their end (default: never)"},
    {"log_limit", SPEC_REAL, "64", LIMITS(0.01, 1e6), .unit = "MiB",
     .help = "an attempt's stdout or stderr, or decoyd.log, that grows beyond it keeps its first and last quarter of this"},
    {"listen", SPEC_TEXT, .choices = "IFACE[:PORT]",
     .help = "serve by TCP too, at one interface (eth0, or its address, an IPv6 one in brackets); who has no key of "
             "authorized_keys is refused"},
    {"metrics_file", SPEC_OUTPUT,
     .help = "file of metrics for node_exporter's textfile collector, in Prometheus' text form; ends in .prom"},
    {"metrics_every", SPEC_SPAN, "15", LIMITS(0.1, 86400), .unit = "s", .help = "time between two writes of that file"},
};

#define KIND(name, summary, fields)                                                                          \
    {                                                                                                        \
        name, summary, fields, sizeof fields / sizeof *fields, SPEC_JOB, NULL                                \
    }

/* A kind that is a verb of the client as well (SPEC_TOOL), or only that (SPEC_LOOK), and its words. */
#define VERB(name, summary, fields, use, words)                                                              \
    {                                                                                                        \
        name, summary, fields, sizeof fields / sizeof *fields, use, words                                    \
    }

static const struct spec_kind KINDS[] = {
    KIND("mock", "make a survey: bricks of coadds, catalogues made by detection, a truth table", MOCK_FIELDS),
    KIND("inject", "add fake galaxies to a survey's coadds and catalogue what is found", INJECT_FIELDS),
    KIND("cutouts", "cut stamps of real and fake galaxies into one HDF5 file a brick", CUTOUTS_FIELDS),
    KIND("split", "shuffle cutouts into train, validation and test shards", SPLIT_FIELDS),
    VERB("export", "a network as ONNX, npz or safetensors, or stamps as obiwan's HDF5, npy, PNG or JPEG", EXPORT_FIELDS, SPEC_TOOL, "cutouts"),
    VERB("gallery", "real beside fake stamps of like magnitude, by percentiles of brightness", GALLERY_FIELDS, SPEC_TOOL, "stamps"),
    VERB("audit", "measure what a classifier could cheat with", AUDIT_FIELDS, SPEC_TOOL, "dataset"),
    VERB("model", "what a model file makes of a stamp, layer by layer, and what it costs", MODEL_FIELDS, SPEC_LOOK, "action file"),
    KIND("train", "train the network to tell fake from real", TRAIN_FIELDS),
    VERB("ckpt", "checkpoints of a training: which there are, and whether they are whole", CKPT_FIELDS, SPEC_LOOK, "action run"),
    KIND("evaluate", "predict every test example once and give the verdict", EVALUATE_FIELDS),
};

static const struct spec_kind JOB_OPTIONS = KIND("job", "options of every job", JOB_FIELDS);
static const struct spec_kind DAEMON_OPTIONS = KIND("decoyd", "a daemon's configuration", DAEMON_FIELDS);
